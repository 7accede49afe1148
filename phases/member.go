package phases

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
)

// Membership is which etcd member a master is. It lies in the state directory, apart from etcd's data: where these have
// vanished, it still says that they were there, so that no new cluster is begun in their place.
type Membership struct {
	// Cluster and Member are IDs in hex, as etcdctl prints them.
	Cluster string `json:"cluster"`
	Member  string `json:"member"`
}

func membershipPath(c config.Config) string { return filepath.Join(c.Paths.State, "etcd-member.json") }

// readMembership is the zero Membership if there is none.
func readMembership(h *host.Host, c config.Config) (Membership, error) {
	path := membershipPath(c)
	file, exists, err := h.Read(path)
	if err != nil || !exists {
		return Membership{}, err
	}
	var m Membership
	if err := json.Unmarshal(file.Data, &m); err != nil {
		return m, fmt.Errorf("read %s: %w\nhint: it says which etcd member this master is (tripod etcd member list shows the IDs); "+
			"without it the next run takes the member that it finds here", path, err)
	}
	return m, nil
}

func (id Membership) file(c config.Config) (host.File, error) {
	data, err := json.Marshal(id)
	return host.File{Path: membershipPath(c), Mode: 0o600, Data: append(data, '\n')}, err
}

// memberID is that of the member here, 0 if none is known.
func (m Master) memberID() uint64 {
	id, _ := strconv.ParseUint(m.Membership.Member, 16, 64)
	return id
}

func membership(cluster, member uint64) Membership {
	return Membership{Cluster: etcd.FormatID(cluster), Member: etcd.FormatID(member)}
}

// rememberMember wants the state directory to say which member runs here.
func rememberMember(m Master) ([]Change, error) {
	if m.Membership != (Membership{}) {
		return nil, nil
	}
	return []Change{{Verb: "remember", What: "which etcd member this is", online: true, do: func(ctx context.Context, s Site) error {
		member, err := etcd.Dial(ctx, m.etcdEndpoint(), m.trust()["etcd"])
		if err != nil {
			return err
		}
		defer member.Close()
		status, err := member.Status(ctx)
		if err != nil {
			return err
		}
		return m.remember(ctx, s, membership(status.Header.ClusterId, status.Header.MemberId))
	}}}, nil
}

func (m Master) remember(ctx context.Context, s Site, id Membership) error {
	file, err := id.file(m.Config)
	if err != nil {
		return err
	}
	return s.Host.Commit(ctx, file)
}

// hasData says whether there is anything in etcd's data directory but the mark.
func (m Master) hasData() bool {
	dirs, member := m.Survey.Dirs, memberDir(m.Config)
	others := dirs[m.Paths.EtcdData].Entries
	if dirs[member].Exists {
		others--
	}
	return others > 0 || dirs[filepath.Join(member, "wal")].Exists || dirs[filepath.Join(member, "snap")].Exists
}

// dataKept refuses a master whose etcd has lost its data: on an empty directory a new etcd would be another cluster, or
// a member that has forgotten what it has voted for.
func dataKept(m Master) []finding {
	removed := joinsAsMaster(m.Config) && m.removed()
	if m.Membership == (Membership{}) || m.hasData() || removed || m.neverStarted() {
		return nil
	}
	f := finding{id: pathID("EtcdData", m.Paths.EtcdData),
		problem: fmt.Sprintf("%s is empty, and this master is member %s of etcd cluster %s", m.Paths.EtcdData, m.Membership.Member, m.Membership.Cluster)}
	f.hint = fmt.Sprintf("put the data back; or where other masters live, take the member out there (tripod etcd member remove %s) and run tripod join again here; "+
		"or give this master up (tripod reset)", m.Membership.Member)
	return []finding{f}
}

// neverStarted is a member of ours that was added and has not run yet.
func (m Master) neverStarted() bool {
	self, there := m.self()
	return there && !self.Started()
}

// removed is a member of ours that the cluster has taken out since.
func (m Master) removed() bool {
	if m.Membership == (Membership{}) || m.Membership.Cluster != etcd.FormatID(m.etcdCluster().ID) {
		return false
	}
	_, there := m.self()
	return !there
}

// errOtherMember is a member that is not the one that this master is: waiting does not make it so.
var errOtherMember = errors.New("another etcd member runs here than this master is")

// sameMember says whether the member at endpoint is the one that this master is.
func (p *Prober) sameMember(ctx context.Context, member *etcd.Member) error {
	p.mu.Lock()
	id := p.self
	p.mu.Unlock()
	if id == (Membership{}) {
		return nil
	}
	status, err := member.Status(ctx)
	if err != nil {
		return err
	}
	if now := membership(status.Header.ClusterId, status.Header.MemberId); now != id {
		return final{fmt.Errorf("%w: member %s of cluster %s, not %s of %s\nhint: %s holds the data of another cluster: put those that belong here back, or see %s",
			errOtherMember, now.Member, now.Cluster, id.Member, id.Cluster, p.master.Paths.EtcdData, membershipPath(p.master.Config))}
	}
	return nil
}
