package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/kind/pkg/cluster"

	"tripod.dev/tripod/e2e/docker"
	"tripod.dev/tripod/e2e/kind"
)

// docker opens the engine once, and has everything that asks for docker use it.
func (b *bench) docker(ctx context.Context) (*docker.Engine, error) {
	if b.engine != nil {
		return b.engine, nil
	}
	b.kept = docker.Kept(ctx, b.lab) != nil
	engine, err := docker.Open(ctx, b.lab)
	if err != nil {
		return nil, err
	}
	b.engine = engine
	if engine.Host != "" {
		return engine, os.Setenv("DOCKER_HOST", engine.Host) // for kind's library
	}
	return engine, nil
}

// bare are nodes as kind makes them, on which nothing of Kubernetes has been set up. What kind has done by then: the
// nodes' configuration files are there, and the load balancer, if there are several masters, knows all of them.
type bare struct {
	b        *bench
	name     string
	provider *cluster.Provider
}

// nodes makes bare nodes whose kubeadm is tripod or the real one.
func (b *bench) nodes(ctx context.Context, r kind.Recipe, masters, workers int) (*bare, error) {
	engine, err := b.docker(ctx)
	if err != nil {
		return nil, err
	}
	image, err := kind.Image(ctx, b.lab, engine, r)
	if err != nil {
		return nil, err
	}
	n := &bare{b: b, name: "bench-bare", provider: cluster.NewProvider(cluster.ProviderWithDocker())}
	if err := (kind.Cluster{Masters: masters, Lab: b.lab, Engine: engine}).Balancer(ctx); err != nil {
		return nil, err
	}
	all := append(slices.Repeat([]v1alpha4.Node{{Role: v1alpha4.ControlPlaneRole}}, masters), slices.Repeat([]v1alpha4.Node{{Role: v1alpha4.WorkerRole}}, workers)...)
	err = n.provider.Create(n.name, cluster.CreateWithNodeImage(image), cluster.CreateWithStopBeforeSettingUpKubernetes(true),
		cluster.CreateWithKubeconfigPath(n.kubeconfig()), cluster.CreateWithV1Alpha4Config(&v1alpha4.Cluster{Nodes: all}))
	return n, err
}

func (n *bare) kubeconfig() string {
	return filepath.Join(n.b.lab.Root, "bin", "e2e", n.name+".kubeconfig")
}

// run times kubeadm on a node, as kind runs it. Nodes are called by role and number, the first of each by its role.
func (n *bare) run(ctx context.Context, node string, args ...string) (sample, error) {
	unix.Sync()
	s, err := timed(n.b.engine.Command(ctx, append([]string{"exec", "--privileged", n.name + "-" + node, "kubeadm"}, args...)...))
	s.CPU, s.Memory = 0, 0 // docker's own
	return s, err
}

func (n *bare) init(ctx context.Context) (sample, error) {
	return n.run(ctx, "control-plane", "init", "--config=/kind/kubeadm.conf", "--skip-token-print", "--v=6")
}

func (n *bare) join(ctx context.Context, node string) (sample, error) {
	return n.run(ctx, node, "join", "--config=/kind/kubeadm.conf", "--v=6")
}

func (n *bare) close() error {
	return kind.Cluster{Name: n.name, Kubeconfig: n.kubeconfig(), Lab: n.b.lab, Engine: n.b.engine}.Delete(context.Background())
}

// kindInit times init of a master on a fresh node.
func kindInit(r kind.Recipe) func(context.Context, *bench) (sample, error) {
	return func(ctx context.Context, b *bench) (s sample, err error) {
		n, err := b.nodes(ctx, r, 1, 0)
		if err != nil {
			return s, err
		}
		defer func() { err = errors.Join(err, n.close()) }()
		return n.init(ctx)
	}
}

// kindJoin times the join of a worker to a master.
func kindJoin(r kind.Recipe) func(context.Context, *bench) (sample, error) {
	return joins(r, 1, 1, func(ctx context.Context, n *bare) (sample, error) { return n.join(ctx, "worker") })
}

// joins has the first of bare nodes become a master, gives it a moment to settle, as it would have, and times what comes then.
func joins(r kind.Recipe, masters, workers int, then func(context.Context, *bare) (sample, error)) func(context.Context, *bench) (sample, error) {
	return func(ctx context.Context, b *bench) (s sample, err error) {
		n, err := b.nodes(ctx, r, masters, workers)
		if err != nil {
			return s, err
		}
		defer func() { err = errors.Join(err, n.close()) }()
		if s, err = n.init(ctx); err != nil {
			return s, err
		}
		for i := range masters - 1 {
			if err := n.share(ctx, master(i+2)); err != nil {
				return s, err
			}
		}
		time.Sleep(3 * time.Second)
		return then(ctx, n)
	}
}

// kindCluster times kind itself, from nothing to nodes that are Ready.
func kindCluster(r kind.Recipe, masters, workers int) func(context.Context, *bench) (sample, error) {
	return func(ctx context.Context, b *bench) (s sample, err error) {
		engine, err := b.docker(ctx)
		if err != nil {
			return s, err
		}
		image, err := kind.Image(ctx, b.lab, engine, r)
		if err != nil {
			return s, err
		}
		c := kind.Cluster{Name: "bench", Image: image, Masters: masters, Workers: workers, Wait: 2 * time.Minute, Lab: b.lab, Engine: engine}
		defer func() { err = errors.Join(err, c.Delete(context.WithoutCancel(ctx))) }()
		unix.Sync()
		began := time.Now()
		if err := c.Create(ctx, nil); err != nil {
			return s, fmt.Errorf("kind create cluster: %w", err)
		}
		if _, err := c.Kubectl(ctx, "wait", "node", "--all", "--for=condition=Ready", "--timeout=60s"); err != nil {
			return s, err
		}
		return sample{Seconds: time.Since(began).Seconds()}, nil
	}
}
