package phases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"tripod.dev/tripod/internal/etcd"
)

// departure is what becomes of this machine's etcd member.
type departure struct {
	// member is to be taken out of the cluster; nil if there is none, or if the cluster ends with it.
	member *etcd.Peer
	// last says that the cluster has no other.
	last bool
	// err is why the member can not go.
	err error
}

// departure decides by what etcd's members say. Where nobody answers, by what is here: nothing is removed that others
// may count on.
func (m Master) departure() departure {
	switch {
	case len(m.etcdCluster().Members) > 0 && m.stranger():
		return departure{err: fmt.Errorf("this master is member %s of etcd cluster %s, and the one that answers is %s", m.Membership.Member, m.Membership.Cluster, etcd.FormatID(m.etcdCluster().ID))}
	case len(m.etcdCluster().Members) > 0:
		return m.departureFrom(m.etcdCluster())
	case !m.belonged():
		return departure{}
	}
	if _, mine := m.leaver(m.Leaving.Stored); mine && len(m.Leaving.Stored) == 1 {
		return departure{last: true}
	}
	return departure{err: m.unanswered()}
}

// unanswered is the error where nobody answers, with who it is that does not.
func (m Master) unanswered() error {
	who := "no etcd member"
	if others := m.Leaving.Stored; len(others) > 0 {
		who = "none of etcd's members (" + memberNames(others) + ")"
	}
	return fmt.Errorf("%s answers: %s\nhint: bring etcd back, or another master that can be reached from here", who, strings.Join(Reasons(m.Etcd.Err()), "; "))
}

func (m Master) departureFrom(now etcd.Cluster) departure {
	p, there := m.leaver(now.Members)
	switch {
	case !there && m.belonged() && m.Membership == (Membership{}) && m.Leaving.Here.PeerURL == "":
		return departure{err: fmt.Errorf("there are etcd data in %s, and nothing says which of its members (%s) has left them", m.Paths.EtcdData, memberNames(now.Members))}
	case !there:
		return departure{} // others have removed it
	case len(now.Members) == 1:
		return departure{last: true}
	}
	return departure{member: &p, err: now.MayRemove(p.ID)}
}

func memberNames(members []etcd.Peer) string {
	var names []string
	for _, p := range members {
		names = append(names, p.String())
	}
	return strings.Join(names, ", ")
}

// stranger says that another cluster answers than that which this master is of.
func (m Master) stranger() bool {
	return m.belonged() && m.Membership != (Membership{}) && m.Membership.Cluster != etcd.FormatID(m.etcdCluster().ID)
}

// belonged says that there are signs of a member here that may be in a cluster still. An earlier reset has seen to that
// before it took the manifest away, and a member of which there are no data, nor the memory, has never run.
func (m Master) belonged() bool {
	l := m.Leaving
	switch _, manifest := m.Manifests["etcd.yaml"]; {
	case m.Membership != (Membership{}):
		return manifest || m.Membership != l.Record.Member
	case manifest && l.Here.Existing:
		return true
	case errors.Is(l.Unstored, fs.ErrNotExist), l.Unstored == nil && len(l.Stored) == 0:
		return false
	default:
		return manifest || l.Record == (Record{})
	}
}

// leaver is the member of this machine, if it is one of them: the one that it remembers, or the one at its address.
func (m Master) leaver(members []etcd.Peer) (etcd.Peer, bool) {
	for _, mine := range []func(etcd.Peer) bool{
		func(p etcd.Peer) bool { return etcd.FormatID(p.ID) == m.Membership.Member },
		func(p etcd.Peer) bool { return slices.ContainsFunc(p.PeerURLs, m.isHere) },
	} {
		if i := slices.IndexFunc(members, mine); i >= 0 {
			return members[i], true
		}
	}
	return etcd.Peer{}, false
}

// isHere says whether a URL is that in the manifest, or has an address of this machine.
func (m Master) isHere(peerURL string) bool {
	u, err := url.Parse(peerURL)
	return peerURL == m.Leaving.Here.PeerURL ||
		err == nil && slices.ContainsFunc(m.Survey.Addresses, func(a netip.Addr) bool { return a.String() == u.Hostname() })
}

// wayOut is how to go on where a member can not be removed.
const wayOut = "where the cluster is gone for good, --skip-phases " + leaveEtcdPhase

// mayLeave refuses to give up a member that others count on.
func mayLeave(m Master) ([]string, error) {
	d := m.departure()
	switch {
	case d.last:
		return []string{"this is the only etcd member: the cluster ends with it"}, nil
	case d.err != nil:
		return nil, &PreflightError{m.stays(d.err)}
	}
	return nil, nil
}

// stays is the reason why this machine's member can not be given up, with the way out.
func (m Master) stays(err error) finding {
	problem, hint, _ := strings.Cut(err.Error(), "\nhint: ")
	if hint == "" {
		hint = "tripod etcd member list says who is there, and tripod etcd member remove takes out who is gone"
	}
	return finding{id: "EtcdMember", problem: "this master's etcd member can not be removed, and so its data stay: " + problem, hint: hint + "; " + wayOut}
}

// leaveEtcd wants this machine's member out of etcd.
func leaveEtcd(m Master) ([]Change, error) {
	d := m.departure()
	if d.member == nil {
		return nil, nil
	}
	p := *d.member
	return []Change{{Verb: "remove", What: fmt.Sprintf("%s (%s) from etcd", p, etcd.FormatID(p.ID)), do: func(ctx context.Context, s Site) error {
		if err := m.etcdCluster().MayRemove(p.ID); err != nil {
			return &PreflightError{m.stays(err)}
		}
		if err := s.mayAct(ctx); err != nil {
			return err
		}
		return m.etcdCluster().Drop(ctx, p.ID, m.trust()["etcd"], s.tell)
	}}}, nil
}
