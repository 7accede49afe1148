package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// forgetfulVoter: a voter that has lost its disk must not come back with an empty log under its old ID: it would help to elect a leader
// that lacks what it has itself acknowledged. Nobody runs tripod here: the kubelet alone starts what there is.
func forgetfulVoter(t *testing.T) {
	m := newMasters(t, "tripod")
	leader, behind, forgetful := m.nodes[0], m.machine(t, 2), m.machine(t, 3)
	m.join(t, "tripod", behind)
	m.join(t, "tripod", forgetful)
	m.lead(t, leader)

	// What is written from here on, only the leader and the forgetful one have.
	m.quorum.Close()
	if err := behind.Part(t.Context(), leader, forgetful); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second)
	if record := m.writer.Stop(); len(record.Acknowledged) == 0 {
		t.Fatal(record.LastError)
	}

	for _, n := range []*lab.Node{forgetful, leader} {
		if err := n.PowerOff(); err != nil {
			t.Fatal(err)
		}
	}
	if err := forgetful.LoseDisk("/var/lib/etcd"); err != nil {
		t.Fatal(err)
	}
	m.powerOn(t, forgetful, behind)
	m.wantNoLeader(t, behind, 20*time.Second)

	m.powerOn(t, leader, behind)
	until(t, "a majority", func(ctx context.Context) error { return errors.Join(answers(ctx, leader), answers(ctx, behind)) })
	m.nodes = []*lab.Node{leader, behind}
	m.wantKeys(t)
	m.watchAgain(t, leader, behind)
	m.wantWayOut(t, forgetful)
	m.wantNothingLost(t)
}

// lead has the etcd of a node lead.
func (m *masters) lead(t *testing.T, n *lab.Node) {
	t.Helper()
	until(t, n.Name+" leads", func(ctx context.Context) error {
		var err error
		for _, other := range m.nodes { // only the leader can hand over
			_, handed := etcdctl(ctx, other, "move-leader", fmt.Sprintf("%x", memberOf(t, n, n).ID))
			if handed == nil {
				return nil
			}
			err = errors.Join(err, handed)
		}
		return err
	})
}

// powerOn gives a machine its power back, and its connection to another from which it was parted.
func (m *masters) powerOn(t *testing.T, n, other *lab.Node) {
	t.Helper()
	if err := n.PowerOn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := n.Reunite(t.Context(), other); err != nil {
		t.Fatal(err)
	}
}

// wantNoLeader wants no linearizable read to succeed on a node for a time.
func (m *masters) wantNoLeader(t *testing.T, n *lab.Node, within time.Duration) {
	t.Helper()
	for began := time.Now(); time.Since(began) < within; time.Sleep(500 * time.Millisecond) {
		if serves(t.Context(), n) == nil {
			t.Errorf("after %s etcd of %s has a leader whom a voter without a log has elected", time.Since(began), n.Name)
			return
		}
	}
}
