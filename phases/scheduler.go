package phases

import (
	"context"
	"net/netip"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/templates"
)

const schedulerPort = 10259

// schedulerValues are what the template of the scheduler places.
type schedulerValues struct {
	common
	BindAddress, Kubeconfig string
	PKI                     string
}

func (m Master) schedulerValues() schedulerValues {
	return schedulerValues{
		common:      m.common("kube-scheduler", m.schedulerProbe()),
		BindAddress: m.Loopback.String(),
		Kubeconfig:  filepath.Join(m.Paths.Kubernetes, schedulerConf),
		PKI:         m.Paths.PKI,
	}
}

func (m Master) schedulerProbe() probe {
	return secureProbe(m.Cluster.Scheduler.ExtraArgs, netip.AddrPortFrom(m.Loopback, schedulerPort))
}

// schedulerPod is the scheduler's pod.
func schedulerPod(m Master) (*corev1.Pod, error) {
	return m.pod(templates.Scheduler(), m.schedulerValues(), m.Version, m.proxied(m.Cluster.Scheduler))
}

// schedulerManifest wants the scheduler's manifest.
func schedulerManifest(m Master) ([]Change, error) {
	pod, err := schedulerPod(m)
	if err != nil {
		return nil, err
	}
	return m.manifest(pod)
}

// proveScheduler asks /readyz, which includes that its caches have been filled from the apiserver.
func proveScheduler(ctx context.Context, p *Prober) error {
	return p.attempt(ctx, "kube-scheduler", func() error {
		return p.get(ctx, "kube-scheduler", p.master.schedulerProbe().url(p.master.Loopback, "/readyz"))
	})
}
