package phases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"

	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
)

// The data of a member that the cluster does not have any more may hold what the cluster lacks: a member that was restarted
// alone by --force-new-cluster, or restored from a snapshot, does not have all that the others have acknowledged, and it has
// removed them. How far data reach does not tell whether they are a part of what the cluster has, as both have gone on. So
// they are never removed, but kept beside the place of the new ones.

// leftBehind says that the cluster has removed the member here, of which there is something left.
func (m Master) leftBehind() bool {
	return m.removed() && (m.hasData() || len(m.Manifests["etcd.yaml"]) > 0)
}

// setDataAside ends what runs of a member that the cluster has removed, the apiserver first: it has cached what its etcd had,
// which may be more than the cluster has. Then the data are kept elsewhere.
func (m Master) setDataAside() Change {
	kept := host.AsidePath(m.Paths.EtcdData, m.Membership.Member)
	what := fmt.Sprintf("%s of the removed member %s, kept as %s", m.Paths.EtcdData, m.Membership.Member, kept)
	return Change{Verb: "set aside", What: what, do: func(ctx context.Context, s Site) error {
		if err := errors.Join(s.Host.Unmounted(m.Paths.EtcdData), m.servesNobody(ctx)); err != nil {
			return err
		}
		for _, component := range []string{"kube-apiserver", "etcd"} {
			if err := m.endComponent(ctx, s, component); err != nil {
				return err
			}
		}
		return m.keepData(ctx, s)
	}}
}

// servesNobody is an error where the member here has a quorum: then it is the cluster that has removed it that may be the
// wrong one, and only people can know.
func (m Master) servesNobody(ctx context.Context) error {
	member, err := etcd.Dial(ctx, m.etcdEndpoint(), m.trust()["etcd"])
	if err != nil {
		return nil // one that nobody can ask does not serve
	}
	defer member.Close()
	status, err := member.Status(ctx)
	if err != nil || etcd.FormatID(status.Header.MemberId) != m.Membership.Member || member.Healthy(ctx) != nil {
		return nil
	}
	return fmt.Errorf("the member here (%s, term %d, entry %d) and those that have removed it (%s) have a quorum each: there are two clusters of one ID\n"+
		"hint: decide which one is to stay, and take the manifest of etcd away on the masters of the other (%s)",
		m.Membership.Member, status.RaftTerm, status.RaftIndex, m.etcdCluster().Reached(), manifestPath(m, "etcd"))
}

func (m Master) endComponent(ctx context.Context, s Site, component string) error {
	if err := s.Host.Remove(manifestPath(m, component)); err != nil {
		return err
	}
	if err := s.ended(ctx, component); err != nil {
		return err
	}
	m.finished(ctx, component)
	return nil
}

// keepData compares the data with the cluster, and keeps them.
func (m Master) keepData(ctx context.Context, s Site) error {
	if err := m.letGo(ctx, s); err != nil {
		return err
	}
	data, err := etcd.ReadHistory(s.Host.Path(m.Paths.EtcdData))
	if err == nil && data.Cluster != m.etcdCluster().ID {
		return fmt.Errorf("%s holds data of etcd cluster %s, and the removed member was one of %s\nhint: look at them, and move them away",
			m.Paths.EtcdData, etcd.FormatID(data.Cluster), m.Membership.Cluster)
	}
	compared := m.compared(data, err)
	kept, err := s.Host.SetAside(m.Paths.EtcdData, m.Membership.Member)
	if err != nil || kept == "" {
		return err
	}
	s.warn(fmt.Sprintf("the data of the removed member %s are kept in %s: %s", m.Membership.Member, kept, compared))
	return nil
}

// outlived says that the data here reach further than the cluster that goes on without the member here: it lacks what is in them.
func (m Master) outlived(s Site) bool {
	_, there := m.leaver(m.etcdCluster().Members)
	data, err := etcd.ReadHistory(s.Host.Path(m.Paths.EtcdData))
	return !there && m.Membership != (Membership{}) && len(m.etcdCluster().Members) > 0 && err == nil && data.Cluster == m.etcdCluster().ID && data.Beyond(m.etcdCluster())
}

// compared says what is known of data beside the cluster.
func (m Master) compared(data etcd.History, unread error) string {
	now := m.etcdCluster().Reached()
	switch {
	case errors.Is(unread, fs.ErrNotExist):
		return "there is no database among them"
	case unread != nil:
		return fmt.Sprintf("how far they reach is not known (%v)", unread)
	case data.Beyond(m.etcdCluster()):
		return fmt.Sprintf("they reach to %s, and the cluster to %s: it lacks what is in them", data, now)
	}
	return fmt.Sprintf("they reach to %s, and the cluster to %s; whether it has all that is in them is not known", data, now)
}

// rejoiningAPIServer is the apiserver, made anew where the one that runs has seen what the cluster may lack: it would answer
// from its cache.
func rejoiningAPIServer(m Master) ([]Change, error) {
	if m.leftBehind() {
		m.Files, m.Running = maps.Clone(m.Files), maps.Clone(m.Running)
		delete(m.Files, manifestPath(m, "kube-apiserver"))
		delete(m.Running, "kube-apiserver")
	}
	return apiserverManifest(m)
}
