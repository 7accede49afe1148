package phases

import (
	"context"

	"golang.org/x/sync/errgroup"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
)

// UpgradeWorker is how a worker takes over what has become of the cluster: its kubelet's configuration.
func UpgradeWorker() []Phase {
	return []Phase{
		{Name: "preflight", About: "look at everything that could get in the way", Check: mayChange},
		{Name: "kubelet-config", About: "the kubelet's configuration, as the cluster has it", Want: changedKubelet, Sweeps: true},
	}
}

// IsMaster says whether the machine is a master, by its manifests, or those that a killed run has taken away.
func IsMaster(h *host.Host, c config.Config) (bool, error) {
	m := Master{Config: c, Facts: Facts{Living: &Living{}}}
	f, exists, err := h.Read(manifestPath(m, "kube-apiserver"))
	if err != nil {
		return false, err
	}
	if exists {
		m.Manifests = map[string][]byte{"kube-apiserver.yaml": f.Data}
	}
	m.Generations, err = ReadGenerations(h, c)
	return m.isMaster(), err
}

func (m Master) isMaster() bool { return len(m.earlierManifest("kube-apiserver")) > 0 }

// readWorker reads what matters on a worker.
func (m *Master) readWorker(ctx context.Context, s Site) error {
	var all errgroup.Group
	all.Go(func() (err error) {
		m.Survey, err = s.Host.Survey(ctx, host.Ask{
			Dirs:      []string{m.Paths.Kubernetes, m.Paths.State, m.Paths.Kubelet},
			CRISocket: m.Node.Registration.CRISocket, KubeletFiles: KubeletPaths(m.Config),
		})
		return err
	})
	all.Go(func() error { m.Alive = s.Runner.Alive(ctx) == nil; return nil })
	return all.Wait()
}
