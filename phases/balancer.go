package phases

import (
	"context"
	"crypto/x509"
	"errors"
	"net/netip"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/internal/balancer"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
	"tripod.dev/tripod/templates"
)

// balancerName is the name of the balancer's pod and of its one phase.
const balancerName = "balancer"

// Balancer is what a sandbox of several masters has in front of them. It is a static pod of an agent of its own, so that it
// outlives any one master.
type Balancer struct {
	// Endpoint is where it listens.
	Endpoint netip.AddrPort
	// Backends are the apiservers, those of masters that may still come included.
	Backends []netip.AddrPort
	// CA is the cluster's, as PEM.
	CA []byte
}

// Phases are how it comes up, where its agent runs. It is healthy when an apiserver is ready for those who ask at its endpoint.
func (b Balancer) Phases() []Phase {
	return []Phase{{Name: balancerName, About: "what spreads connections over the apiservers", Want: b.want,
		Proof: Proof{Component: balancerName, Attempt: b.prove}}}
}

// Gather reads the facts of the place that the balancer has for itself.
func (b Balancer) Gather(ctx context.Context, s Site, c config.Config) (Master, error) {
	m := Master{Config: c, Facts: Facts{Now: host.Now(), Rootless: true, Running: map[string]host.Running{}}}
	entries, err := s.Host.ReadJournal(journalPath(c))
	if err != nil {
		return m, err
	}
	m.Journaled, m.entries = len(entries) > 0, len(entries)
	alive := s.Runner.Alive(ctx)
	if errors.Is(alive, host.ErrHangs) {
		return m, alive
	}
	m.Alive = alive == nil
	if now, err := s.Runner.Pod(ctx, balancerName); err == nil {
		m.Running[balancerName] = now
	}
	return m, m.read(s.Host, c)
}

func (b Balancer) want(m Master) ([]Change, error) {
	ca := host.File{Path: filepath.Join(m.Paths.PKI, "ca.crt"), Mode: 0o644, Data: b.CA}
	pod, err := b.pod(ca)
	if err != nil {
		return nil, err
	}
	data, err := manifests.Encode(pod)
	if err != nil {
		return nil, err
	}
	manifest := host.File{Path: filepath.Join(m.Paths.Manifests, balancerName+".yaml"), Mode: 0o600, Data: data}
	return append(write(m, ca), m.run(pod.Name, manifest)...), nil
}

// pod is the balancer's pod. Another CA makes another revision of it.
func (b Balancer) pod(ca host.File) (*corev1.Pod, error) {
	pod, err := manifests.Render(templates.Balancer(), map[string]any{"Endpoint": b.Endpoint, "Backends": b.Backends, "CA": ca.Path})
	if err != nil {
		return nil, err
	}
	return pod, manifests.Revise(pod, map[string][]byte{ca.Path: ca.Data})
}

func (b Balancer) prove(ctx context.Context, _ *Prober) error {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b.CA) {
		return errors.New("the cluster's CA is no certificate")
	}
	return balancer.Ready(ctx, pool, b.Endpoint.String())
}
