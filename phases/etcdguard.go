package phases

import (
	"context"
	"fmt"

	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
)

// memberStop is what goes with the end of a member.
type memberStop struct {
	// staged are the files that are to come, which are on disk before anything stops.
	staged []host.File
	// first ends what needs the member, once it is sure that it may go; nil if nothing does.
	first func(context.Context) error
	// back is the way back.
	back retreat
}

// stopMember is the one way in which this master's etcd member is stopped, whichever verb asks for it: in the cluster's turn,
// counted and compared right before, with what is to come on disk, and with another member leading. It leaves the member's
// manifest away and its pod ended.
func (m Master) stopMember(ctx context.Context, s Site, stop memberStop) error {
	if err := m.mayGo(ctx, s); err != nil {
		return err
	}
	if err := s.Host.Stage(stop.staged...); err != nil {
		return &PreflightError{err} // nothing has been touched yet
	}
	if stop.first != nil {
		if err := stop.first(ctx); err != nil {
			return err
		}
	}
	if !m.alone() {
		s.tell("another member of etcd leads")
	}
	if err := m.handsOver(ctx, s); err != nil {
		return err
	}
	s.tell("etcd ends")
	return s.takeAway(ctx, m, []retreat{stop.back})
}

// mayGo refuses to stop this master's member where etcd would not go on without it, or it would not come back.
func (m Master) mayGo(ctx context.Context, s Site) error {
	m.Etcd = m.membersNow(ctx, s, s.tell)
	if err := m.mayStop(); err != nil {
		return err
	}
	trust := m.trust()["etcd"]
	if err := etcd.Rejoins(ctx, m.othersKnown(), trust); err != nil {
		return &PreflightError{finding{id: "EtcdCertificates", problem: err.Error()}}
	}
	// Only then: beside members whose certificates have expired no lease can be renewed but through the leader itself.
	if err := s.mayAct(ctx); err != nil {
		return err
	}
	if m.alone() {
		return nil
	}
	if err := m.etcdCluster().SameData(ctx, trust, s.tell); err != nil {
		return &PreflightError{finding{id: "EtcdData", problem: err.Error()}}
	}
	return nil
}

// mayStop refuses to stop this master's member where the others would lose their quorum by it, or nobody can say.
func (m Master) mayStop() error {
	now, known := m.Etcd.Value()
	if !known {
		return m.unasked()
	}
	self, there := m.self()
	if !there {
		return &PreflightError{finding{id: "EtcdMember", problem: "etcd does not count this master among its members", hint: "tripod etcd member list shows them"}}
	}
	if err := now.MayStop(self.ID); err != nil {
		return &PreflightError{finding{id: "EtcdQuorum", problem: err.Error()}}
	}
	return nil
}

// handsOver counts the quorum once more, and has another member lead.
func (m Master) handsOver(ctx context.Context, s Site) error {
	m.Etcd = m.membersNow(ctx, s, s.tell)
	if err := m.mayStop(); err != nil {
		return err
	}
	if err := s.mayAct(ctx); err != nil {
		return err
	}
	self, _ := m.self()
	if self.Err != nil {
		return nil
	}
	if err := m.etcdCluster().HandOver(ctx, self.ID, m.trust()["etcd"], s.tell); err != nil {
		return fmt.Errorf("etcd's leader does not hand over: %w", err)
	}
	return nil
}

// alone says whether this master's member is the only one that etcd has.
func (m Master) alone() bool {
	self, there := m.self()
	voters := m.etcdCluster().Voters()
	return there && len(voters) == 1 && voters[0].ID == self.ID
}

// othersKnown are the other members, as etcd tells, or where nobody answers, as this master's manifest names them.
func (m Master) othersKnown() []etcd.Peer {
	if m.Etcd.Err() == nil {
		return m.others()
	}
	var all []etcd.Peer
	for _, p := range joinedBeside(m.earlierManifest("etcd")) {
		if p.PeerURLs[0] != m.peerURL() {
			all = append(all, p)
		}
	}
	return all
}
