package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/e2e/lab"
)

// A learner that is cut off before it has its vote costs nobody anything. Its join ends with the reason, and works when
// it is run again: on the same machine once that is back, or on another one that has taken its place.
func TestPartitionLearner(t *testing.T) {
	for _, tt := range []struct {
		name  string
		again func(t *testing.T, m *masters, n *lab.Node) *lab.Node // the machine on which join is run again
		drill bool
	}{
		{name: "healed", again: heal},
		{name: "replaced", again: replace, drill: true},
	} {
		if tt.drill && !drill() {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			m := newMasters(t, "tripod")
			m.join(t, "tripod", m.machine(t, 2))
			n := m.machine(t, 3)
			m.cutOff(t, n)
			n = tt.again(t, m, n)
			m.join(t, "tripod", n)
			m.wantMembers(t)
			m.wantNothingLost(t)
		})
	}
}

// cutOff has a machine join that is cut off as soon as it is a learner.
func (m *masters) cutOff(t *testing.T, n *lab.Node) {
	t.Helper()
	command := m.configured(t, n, "timeouts: {controlPlaneComponentHealthCheck: 10s, etcdAPICall: 10s}\n")
	began := time.Now()
	out, err := during(n.Command(t.Context(), "tripod", command...), "add a learner", func() {
		if err := n.Part(t.Context(), m.nodes...); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%s\n%s", time.Since(began).Round(time.Millisecond), out)
	if code := exitCode(err); code != notHealthy {
		t.Errorf("exit code %d, want %d", code, notHealthy)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

func heal(t *testing.T, m *masters, n *lab.Node) *lab.Node {
	t.Helper()
	if err := n.Reunite(t.Context(), m.nodes...); err != nil {
		t.Fatal(err)
	}
	return n
}

// replace takes a machine away for good, and puts an empty one of its name and address in its place.
func replace(t *testing.T, m *masters, n *lab.Node) *lab.Node {
	t.Helper()
	if err := n.PowerOff(); err != nil {
		t.Fatal(err)
	}
	return newNode(t, lab.Machine{Name: n.Name, Addr: n.Addr, Network: m.network})
}

// A master whose disk is lost joins again under its name and address while a majority lives. Where it does not, the join
// is refused with the way out, and nothing is changed; it works when a majority is back.
func TestPartitionDeadVoter(t *testing.T) {
	m := newMasters(t, "tripod")
	first, second, third := m.nodes[0], m.machine(t, 2), m.machine(t, 3)
	m.join(t, "tripod", second)
	m.join(t, "tripod", third)
	before := memberList(t, m.nodes[0])

	m.left(third)
	m.wantNothingLost(t) // from here on there is no quorum
	third = replace(t, m, third)
	m.left(second)
	if err := second.PowerOff(); err != nil {
		t.Fatal(err)
	}
	m.wantNoQuorum(t, third)

	if err := second.PowerOn(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "a majority", func(ctx context.Context) error { return serves(ctx, m.nodes[0]) })
	if diff := cmp.Diff(before, memberList(t, m.nodes[0])); diff != "" {
		t.Errorf("members changed (-before +after):\n%s", diff)
	}
	m.quorum = lab.NewQuorum()
	t.Cleanup(m.quorum.Close)
	m.nodes = m.nodes[:0]
	for _, n := range []*lab.Node{first, second} {
		m.joined(t, n)
	}
	m.write(t)
	m.join(t, "tripod", third)
	m.wantMembers(t)
	m.wantNothingLost(t)
}

// serves is nil if the etcd of a node reads linearizably.
func serves(ctx context.Context, n *lab.Node) error {
	_, err := n.Run(ctx, "curl", "--silent", "--fail", "--max-time", "2", "http://127.0.0.1:2381/readyz")
	return err
}

// wantNoQuorum wants a join to be refused for want of a quorum, soon, and to write nothing.
func (m *masters) wantNoQuorum(t *testing.T, n *lab.Node) {
	t.Helper()
	before, began := snapshot(t, n), time.Now()
	out, err := output(m.killable(t.Context(), n))
	t.Logf("%s\n%s", time.Since(began).Round(time.Millisecond), out)
	if code := exitCode(err); code != unfit {
		t.Errorf("exit code %d, want %d", code, unfit)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	wantCause(t, out, "lost its quorum", "hint: ", "tripod etcd member list", "snapshot")
	wantSame(t, before, snapshot(t, n))
}
