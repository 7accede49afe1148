package phases

import (
	"context"
	"fmt"

	"tripod.dev/tripod/internal/etcd"
)

// turn is this master's turn to change what the masters share.
type turn struct {
	ctx    context.Context
	unlock func()
}

// end gives the turn to the next; done twice, or where there was none, it does nothing.
func (t *turn) end() {
	if t.unlock != nil {
		t.unlock()
	}
	*t = turn{}
}

// begin waits for the turn, unless it has come already.
func (t *turn) begin(ctx context.Context, w *waiter) error {
	if t.unlock != nil {
		return nil
	}
	m := w.Master
	voters, err := m.Etcd.Connect(m.trust()["etcd"])
	if err != nil {
		return err
	}
	holder := etcd.Holder{Node: m.Node.Registration.Name, Address: m.Advertise.Addr().String(), Verb: w.Verb, Since: w.begun}
	locked, unlock, err := voters.Lock(ctx, holder, func(reason string) { w.tell(Waiting, reason) })
	if err != nil {
		_ = voters.Close() // nothing was written through it
		return err
	}
	t.ctx, t.unlock = locked, func() {
		unlock()
		_ = voters.Close()
	}
	return nil
}

// anew plans the step by what etcd's members say now.
func (w *waiter) anew(ctx context.Context) error {
	now, err := w.Master.survey(ctx)
	if err != nil {
		return err
	}
	w.Master.Etcd = now
	w.step, err = plan(w.step.phase, w.Master)
	return err
}

// survey asks etcd's members how they are.
func (m Master) survey(ctx context.Context) (etcd.Cluster, error) {
	now, err := etcd.Survey(ctx, m.Etcd.Endpoints(), m.trust()["etcd"])
	if err != nil {
		return etcd.Cluster{}, fmt.Errorf("looking at etcd's members: %w", err)
	}
	return now, nil
}
