package phases

import (
	"context"
	"errors"
	"fmt"

	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/etcd"
)

// turn is this master's turn to change what the masters share.
type turn struct {
	ctx context.Context
	// lock is nil where there is nobody to keep it from.
	lock  *etcd.Lock
	begun bool
}

// end gives the turn to the next; done twice, or where there was none, it does nothing.
func (t *turn) end() {
	if t.lock != nil {
		t.lock.Unlock()
	}
	*t = turn{}
}

// begin waits for the turn, unless it has come already.
func (t *turn) begin(ctx context.Context, w *waiter) error {
	if t.begun {
		return nil
	}
	if w.Master.Etcd.Err() != nil { // it may have found the others since
		now, err := w.members(ctx)
		if err != nil {
			return err
		}
		w.Master.Etcd = now
	}
	m := w.Master
	if m.unlockable() {
		*t = turn{ctx: ctx, begun: true}
		return nil
	}
	voters, others, err := m.lockedBy()
	if err != nil {
		return err
	}
	holder := etcd.Holder{Node: m.Node.Registration.Name, Address: m.Advertise.Addr().String(), Verb: w.Verb, Since: w.begun}
	lock, err := voters.Lock(ctx, holder, others, eachOnce(func(reason string) { w.tell(Waiting, reason) }))
	if err != nil {
		_ = voters.Close() // nothing was written through it
		return err
	}
	*t = turn{ctx: lock.Context(), lock: lock, begun: true}
	return nil
}

// held is nil as long as it is this master's turn. Who stood still for longer than the lock lasts has lost it.
func (t *turn) held(ctx context.Context) error {
	if t.lock == nil {
		return nil
	}
	return t.lock.Held(ctx)
}

// lockedBy are the voters through which this master waits for its turn, and others through which it then keeps the lock, nil
// for the same. A living master waits through its own member, as the one whose turn it is may end any other; in its own turn
// that one ends.
func (m Master) lockedBy() (voters, others *etcd.Voters, err error) {
	trust := m.trust()["etcd"]
	self, there := m.self()
	if m.Living == nil || !there || self.Learner {
		voters, err = m.etcdCluster().Connect(trust)
		return voters, nil, err
	}
	rest, own := m.etcdCluster(), m.etcdCluster()
	rest.Members = m.others()
	if others, err = rest.Connect(trust); err != nil || self.Err != nil {
		return others, nil, err
	}
	own.Members = []etcd.Peer{self}
	if voters, err = own.Connect(trust); err != nil {
		_ = others.Close()
	}
	return voters, others, err
}

// unlockable says that there is nobody to keep the lock, nor anybody to keep it from: there is but this member, which a lock
// that it keeps itself would not outlive, or none of a living master's etcd decides anything.
func (m Master) unlockable() bool {
	return m.Living != nil && m.Etcd.Err() == nil && (m.alone() || m.etcdCluster().Lost())
}

// anew plans the step by what etcd's members say now, and by what the steps before have made of this machine.
func (w *waiter) anew(ctx context.Context) (err error) {
	m := w.Master
	if !w.back.has("etcd") && !m.unlockable() { // what is taken away does not answer, and is the same when it is back
		if m.Etcd, err = w.members(ctx); err != nil {
			return err
		}
	}
	if err := m.recall(w.Host, m.Config); err != nil {
		return err
	}
	if err := m.read(w.Host, m.Config); err != nil {
		return err
	}
	if err := m.askRunner(ctx, w.Runner); err != nil {
		return err
	}
	w.Master = m
	w.prober.remember(m.Membership)
	w.step, err = plan(w.step.phase, m)
	return err
}

// members asks etcd's members how they are: a machine that joins asks those that are healthy.
func (w *waiter) members(ctx context.Context) (Known[etcd.Cluster], error) {
	m := w.Master
	if m.Joining != nil {
		now, err := m.survey(ctx)
		return answered(now, err), err
	}
	m.Etcd = m.membersNow(ctx, w.Site, func(reason string) { w.tell(Waiting, reason) })
	if m.Etcd.Err() != nil {
		return m.Etcd, w.unasked(ctx)
	}
	return m.Etcd, nil
}

// late plans the step by what the cluster says now: other masters may have changed, too. What it needs to know is insisted on.
func (w *waiter) late(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, w.Master.APICall)
	defer stop()
	return cluster.Insist(ctx, eachOnce(func(reason string) { w.tell(Waiting, reason) }), func(ctx context.Context) (err error) {
		if w.Master, err = w.asking(ctx); err != nil {
			return err
		}
		if w.step, err = plan(w.step.phase, w.Master); err != nil {
			return &InputError{err}
		}
		return w.step.unknown()
	})
}

// asking is the master with what the cluster says now of what the step needs.
func (w *waiter) asking(ctx context.Context) (Master, error) {
	if w.Master.Living != nil {
		return w.Master.knowing(w.Master.readCluster(ctx)), nil
	}
	client, err := w.api()
	if err != nil {
		return w.Master, err
	}
	return w.Master.learning(ctx, client).seeing(ctx, client, []Phase{w.step.phase}), nil
}

// unknown is what the step needs to know and does not.
func (s Step) unknown() error {
	for _, c := range s.Changes {
		if c.unknown != nil {
			return fmt.Errorf("whether there is %s could not be learned, so nothing was made of it: %w", c.What, c.unknown)
		}
	}
	return nil
}

// lockLost says whether ctx has ended with the lock.
func lockLost(ctx context.Context) bool { return errors.Is(context.Cause(ctx), etcd.ErrLockLost) }

// survey asks etcd's members how they are.
func (m Master) survey(ctx context.Context) (etcd.Cluster, error) {
	now, err := etcd.Survey(ctx, m.etcdCluster().Endpoints(), m.trust()["etcd"])
	if err != nil {
		return etcd.Cluster{}, fmt.Errorf("looking at etcd's members: %w", err)
	}
	return now, nil
}
