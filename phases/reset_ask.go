package phases

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/etcd"
)

const (
	// clusterWithin is the time for the cluster to say what it knows of a machine that is reset; it may be gone.
	clusterWithin = 3 * time.Second
	// startsWithin is the time for an etcd that has its data open to answer.
	startsWithin = 10 * time.Second
)

// askCluster asks for this node and for the masters, which is of use as far as there is an answer.
func (m *Master) askCluster(ctx context.Context, kubeconfig []byte) {
	ctx, stop := context.WithTimeout(ctx, clusterWithin)
	defer stop()
	for _, name := range []string{adminConf, kubeletConf} {
		if kubeconfig == nil {
			kubeconfig = m.Files[filepath.Join(m.Paths.Kubernetes, name)].Data
		}
	}
	client, err := cluster.FromKubeconfig(kubeconfig, "")
	if err != nil {
		return
	}
	defer client.Close()
	var all errgroup.Group
	all.Go(func() error {
		_, err := client.Get(ctx, cluster.Node(m.Node.Registration.Name))
		m.Leaving.Node = err == nil
		return nil
	})
	all.Go(func() error {
		pods, err := client.ListLabelled(ctx, corev1.SchemeGroupVersion.WithKind("Pod"), "kube-system", "tier=control-plane")
		if err != nil {
			return nil // only administrators may
		}
		masters, err := parsePods(pods)
		if err == nil {
			m.Leaving.masters, err = etcdURLs(ctx, client, masters)
		}
		return err
	})
	_ = all.Wait()
}

// askEtcd asks etcd's members how they are, if there is a sign of any: the one here, those that it knows, and those that
// the cluster knows.
func (m *Master) askEtcd(ctx context.Context, s Site, tell func(string)) error {
	l := m.Leaving
	l.Stored, l.Unstored = etcd.Stored(s.Host.Path(m.Paths.EtcdData))
	pairs, err := etcdClient(s.Host, m.Paths.PKI)
	if err != nil {
		m.Etcd = Unknown[etcd.Cluster](err)
		return nil
	}
	m.PKI.Pairs = pairs
	for until := time.Now().Add(startsWithin); ; {
		now, err := etcd.Survey(ctx, m.etcdEndpoints(), m.trust()["etcd"])
		m.Etcd = answered(now, err)
		if p, there := m.leaver(m.etcdCluster().Members); there && len(p.PeerURLs) > 0 {
			m.advertise(p.PeerURLs[0])
		}
		if err == nil || !errors.Is(l.Unstored, etcd.ErrRunning) || time.Now().After(until) {
			return ctx.Err()
		}
		tell(Reasons(err)[0])
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lookEvery):
		}
	}
}

// etcdEndpoints are where some member may answer.
func (m Master) etcdEndpoints() []string {
	l := m.Leaving
	urls := slices.Concat(l.Here.Endpoints, l.masters)
	for _, p := range l.Stored {
		urls = append(urls, p.ClientURLs...)
	}
	slices.Sort(urls)
	return slices.Compact(urls)
}
