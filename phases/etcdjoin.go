package phases

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// stuckAfter is how long a learner that somebody else's killed join has left behind may go without progress until it is
// taken out: etcd has room for one learner at a time.
const stuckAfter = 10 * time.Second

// peerURL is where the other members reach this master's.
func (m Master) peerURL() string { return etcdURL(m.Advertise.Addr(), etcdPeerPort) }

// self is the member that this machine is: the one that it remembers, or one at its address that was added and never
// ran, or that has run here.
func (m Master) self() (etcd.Peer, bool) {
	if m.Membership != (Membership{}) && m.Membership.Cluster == etcd.FormatID(m.etcdCluster().ID) {
		for _, p := range m.etcdCluster().Members {
			if etcd.FormatID(p.ID) == m.Membership.Member {
				return p, true
			}
		}
	}
	p, there := m.etcdCluster().ByPeerURL(m.peerURL())
	return p, there && (!p.Started() || p.Name == m.Node.Registration.Name && m.hasData() && m.Membership == Membership{})
}

// others are the members that this machine is not.
func (m Master) others() []etcd.Peer {
	self, there := m.self()
	return slices.DeleteFunc(slices.Clone(m.etcdCluster().Members), func(p etcd.Peer) bool { return there && p.ID == self.ID })
}

// namesakes are members that are not this machine's and have its name or its address.
func (m Master) namesakes() []etcd.Peer {
	return slices.DeleteFunc(m.others(), func(p etcd.Peer) bool {
		return p.Name != m.Node.Registration.Name && !slices.Contains(p.PeerURLs, m.peerURL())
	})
}

// makeRoom wants nobody in the way of this machine's member: what it was itself before its disk was lost, a learner that
// another's killed join has left, and the data of a member that was removed.
func makeRoom(m Master) ([]Change, error) {
	if _, there := m.self(); there {
		return nil, nil
	}
	var changes []Change
	for _, p := range m.namesakes() {
		changes = append(changes, m.removeMember(p))
	}
	for _, p := range m.etcdCluster().Learners() {
		if !slices.ContainsFunc(m.namesakes(), func(n etcd.Peer) bool { return n.ID == p.ID }) {
			changes = append(changes, m.settle(p))
		}
	}
	if m.leftBehind() {
		changes = append(changes, m.setDataAside())
	}
	return changes, nil
}

// removeMember takes a member out that is dead; its quorum is counted right before.
func (m Master) removeMember(p etcd.Peer) Change {
	return Change{Verb: "remove", What: fmt.Sprintf("the dead etcd member %s (%s)", p, etcd.FormatID(p.ID)),
		do: func(ctx context.Context, s Site) error {
			if p.Err == nil {
				return fmt.Errorf("it is alive\nhint: give this machine another name and address, or take that one down first")
			}
			if err := m.etcdCluster().MayRemove(p.ID); err != nil {
				return err
			}
			ctx, stop := context.WithTimeout(ctx, m.Health)
			defer stop()
			return m.asVoters(func(v *etcd.Voters) error {
				return s.whileIt(ctx, etcd.ErrUnsettled, lookEvery, func() error { return v.Remove(ctx, p.ID) })
			})
		}}
}

// settle promotes a learner that was left behind and has caught up, and takes out one that makes no progress.
func (m Master) settle(p etcd.Peer) Change {
	return Change{Verb: "settle", What: fmt.Sprintf("the learner %s, whose join has ended", p), do: func(ctx context.Context, s Site) error {
		return m.asVoters(func(v *etcd.Voters) error { return m.settling(ctx, s, v, p) })
	}}
}

func (m Master) settling(ctx context.Context, s Site, v *etcd.Voters, p etcd.Peer) error {
	progress := time.Now()
	for {
		now, err := m.survey(ctx)
		if err != nil {
			return err
		}
		learner, there := now.ByID(p.ID)
		if !there || !learner.Learner {
			return nil
		}
		if learner.Err == nil && now.MayPromote(p.ID) == nil {
			if err := s.mayAct(ctx); err != nil {
				return err
			}
			if err := v.Promote(ctx, p.ID); !errors.Is(err, etcd.ErrBehind) {
				return err
			}
		}
		if learner.RaftIndex > p.RaftIndex {
			progress, p = time.Now(), learner
		}
		if time.Since(progress) > stuckAfter {
			if err := s.mayAct(ctx); err != nil {
				return err
			}
			return v.Remove(ctx, p.ID)
		}
		s.tell(fmt.Sprintf("the learner %s, whose join has ended, may still catch up; it is taken out after %s without progress", p, stuckAfter))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lookEvery):
		}
	}
}

// finishedWithin is how long a kubelet is given to clean up after a pod: it looks every two seconds.
const finishedWithin = 5 * time.Second

// finished gives the kubelet the time to clean up after the component's pod: one of the same content has the same UID, which a kubelet
// that remembers it does not start while it is ending. One that reaches no apiserver does not clean up, and was started anew (Forget).
func (m Master) finished(ctx context.Context, component string) {
	ctx, stop := context.WithTimeout(ctx, finishedWithin)
	defer stop()
	for ctx.Err() == nil {
		left, _ := filepath.Glob(filepath.Join(m.Paths.Kubelet, "pods", "*", "containers", component)) // the pattern is good
		if len(left) == 0 {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(probeEvery):
		}
	}
}

// ended waits until nothing runs of a component whose manifest has been taken away.
func (s Site) ended(ctx context.Context, component string) error {
	if s.Kubelet != nil {
		return s.Kubelet.Forget(ctx, component)
	}
	for {
		now, err := s.Runner.Pod(ctx, component)
		if err != nil {
			alive := s.Runner.Alive(ctx)
			if errors.Is(alive, host.ErrHangs) {
				return alive
			}
			if alive != nil && ctx.Err() == nil {
				return nil // nobody runs pods here
			}
		}
		if err == nil && now.State != host.Started {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(probeEvery):
		}
	}
}

// asVoters has the healthy voters do something.
func (m Master) asVoters(do func(*etcd.Voters) error) error {
	voters, err := m.etcdCluster().Connect(m.trust()["etcd"])
	if err != nil {
		return err
	}
	defer voters.Close()
	return do(voters)
}

// joinAsLearner wants this machine among etcd's members, as a learner if it is not one of them yet, and its etcd.
func joinAsLearner(m Master) ([]Change, error) {
	var changes []Change
	self, there := m.self()
	switch {
	case !there:
		changes = append(changes, m.addLearner())
	case membership(m.etcdCluster().ID, self.ID) != m.Membership:
		file, err := membership(m.etcdCluster().ID, self.ID).file(m.Config)
		if err != nil {
			return nil, err
		}
		changes = append(changes, Change{Verb: "remember", What: "which etcd member this is", Files: []host.File{file}})
	}
	manifest, err := etcdManifest(m)
	return append(changes, manifest...), err
}

// settledWithin is longer than etcd takes to trust new connections between its voters; beside a dead one it adds nobody.
const settledWithin = 20 * time.Second

func (m Master) addLearner() Change {
	return Change{Verb: "add", What: "a learner at " + m.peerURL() + " to etcd", do: func(ctx context.Context, s Site) error {
		if err := m.etcdCluster().MayAdd(); err != nil {
			return err
		}
		settle, stop := context.WithTimeout(ctx, settledWithin)
		defer stop()
		return m.asVoters(func(v *etcd.Voters) (err error) {
			var id uint64
			err = s.whileIt(settle, etcd.ErrUnsettled, lookEvery, func() error { id, err = v.Add(settle, m.peerURL()); return err })
			if errors.Is(err, etcd.ErrUnsettled) {
				return m.etcdCluster().Unsettled(err)
			}
			if err != nil {
				return err
			}
			host.Killpoint("member added")
			return m.remember(ctx, s, membership(m.etcdCluster().ID, id))
		})
	}}
}

// promote wants this machine's member to have a vote.
func promote(m Master) ([]Change, error) {
	self, there := m.self()
	if there && !self.Learner {
		return nil, nil
	}
	return []Change{{Verb: "promote", What: "the learner at " + m.peerURL(), do: func(ctx context.Context, s Site) error {
		if err := m.etcdCluster().MayPromote(self.ID); err != nil {
			return err
		}
		ctx, stop := context.WithTimeout(ctx, m.Health)
		defer stop()
		return m.asVoters(func(v *etcd.Voters) error {
			return s.whileIt(ctx, etcd.ErrBehind, probeEvery, func() error { return v.Promote(ctx, self.ID) })
		})
	}}}, nil
}

// whileIt changes etcd's members, again and again while that fails for that reason, as long as it is this master's turn.
func (s Site) whileIt(ctx context.Context, reason error, every time.Duration, do func() error) error {
	for {
		err := s.mayAct(ctx)
		if err == nil {
			err = do()
		}
		if !errors.Is(err, reason) {
			return err
		}
		s.tell(err.Error())
		select {
		case <-ctx.Done():
			return err
		case <-time.After(every):
		}
	}
}

// logged is how far the leader's log reached when the facts were read.
func (m Master) logged() uint64 {
	var most uint64
	for _, p := range m.etcdCluster().Voters() {
		most = max(most, p.RaftIndex)
	}
	return most
}

// initialCluster is by what this master's member finds the others when it starts for the first time. Afterwards etcd
// knows better, and what the manifest says stays as it is: a member whose data vanish must not begin a cluster of its own.
func (m Master) initialCluster() (members string, existing bool) {
	own := m.Node.Registration.Name + "=" + m.peerURL()
	self, there := m.self()
	first := len(m.etcdCluster().Members) == 0
	earlier := manifests.ManifestFlags(m.earlierManifest("etcd"))
	kept := earlier["initial-cluster"]
	switch {
	case slices.Contains(strings.Split(kept, ","), own) && (first || there && self.Started()):
		return kept, earlier["initial-cluster-state"] == "existing"
	case first:
		return own, false
	}
	return m.etcdCluster().InitialCluster(m.Node.Registration.Name, m.peerURL()), true
}
