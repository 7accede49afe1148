package phases

import (
	"context"
	"net/netip"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/templates"
)

const controllerManagerPort = 10257

// controllerManagerValues are what the template of the controller-manager places.
type controllerManagerValues struct {
	common
	BindAddress, Kubeconfig, ClusterName string
	// PodSubnet has nodes given their share of it; "" leaves that to the network plugin.
	PodSubnet, ServiceSubnet string
	// SigningCert and SigningKey sign the certificates of kubelets; both "" where the CA's key is elsewhere.
	SigningCert, SigningKey string
	// FlexVolumeDir is the directory of volume plugins, "" where kubeadm mounts none.
	FlexVolumeDir string
	Bundles       []bundle
	PKI           string
}

func (m Master) controllerManagerValues() controllerManagerValues {
	v := controllerManagerValues{
		common:        m.common("kube-controller-manager", m.controllerManagerProbe()),
		BindAddress:   m.Loopback.String(),
		Kubeconfig:    filepath.Join(m.Paths.Kubernetes, controllerManagerConf),
		ClusterName:   m.Cluster.ClusterName,
		PodSubnet:     m.Cluster.Networking.PodSubnet,
		ServiceSubnet: m.Cluster.Networking.ServiceSubnet,
		FlexVolumeDir: m.flexVolumeDir(),
		Bundles:       m.bundles(),
		PKI:           m.Paths.PKI,
	}
	if m.PKI.Pairs[clusterCA].Key != nil {
		v.SigningCert, v.SigningKey = pairPaths(m.Config, clusterCA)
	}
	return v
}

// flexVolumeDir is mounted up to 1.35, writable, as plugins put their sockets there. The controller-manager creates its
// directory even where nobody has plugins, so a sandbox gives it one of its own.
func (m Master) flexVolumeDir() string {
	const name = "flex-volume-plugin-dir"
	switch {
	case m.Rootless:
		return filepath.Join(m.Paths.Kubelet, "volume-plugins")
	case m.Version.Minor <= 35:
		return argument(m.Cluster.ControllerManager.ExtraArgs, name, "/usr/libexec/kubernetes/kubelet-plugins/volume/exec")
	}
	return ""
}

func (m Master) controllerManagerProbe() probe {
	return secureProbe(m.Cluster.ControllerManager.ExtraArgs, netip.AddrPortFrom(m.Loopback, controllerManagerPort))
}

// controllerManagerPod is the controller-manager's pod.
func controllerManagerPod(m Master) (*corev1.Pod, error) {
	return m.pod(templates.ControllerManager(), m.controllerManagerValues(), m.Version, m.proxied(m.Cluster.ControllerManager))
}

// controllerManagerManifest wants the controller-manager's manifest.
func controllerManagerManifest(m Master) ([]Change, error) {
	pod, err := controllerManagerPod(m)
	if err != nil {
		return nil, err
	}
	return m.manifest(pod)
}

// proveControllerManager asks /healthz, which is all that a controller-manager has.
func proveControllerManager(ctx context.Context, p *Prober) error {
	return p.attempt(ctx, "kube-controller-manager", func() error {
		return p.get(ctx, "kube-controller-manager", p.master.controllerManagerProbe().url(p.master.Loopback, "/healthz"))
	})
}
