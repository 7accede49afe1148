package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/e2e/lab"
)

// A learner that is cut off before it has its vote costs nobody anything. Its join ends with the reason, and works when
// it is run again: on the same machine once that is back, or on another one that has taken its place.
//
// Nor does a dead voter, or one that has lost its data, while a majority lives.
func TestPartition(t *testing.T) {
	t.Parallel()
	if drill() {
		t.Run("forgetful voter", forgetfulVoter)
	}
	m := newMasters(t, "tripod")
	m.join(t, "tripod", m.machine(t, 2))
	if drill() {
		n := m.machine(t, 3)
		m.cutOff(t, n)
		n = m.replace(t, n)
		m.join(t, "tripod", n)
		m.wantMembers(t)
		m.takeOut(t, n)
	}
	n := m.machine(t, 3)
	m.cutOff(t, n)
	m.heal(t, n)
	m.join(t, "tripod", n)
	m.wantMembers(t)

	m.loseData(t, n)
	m.left(n)
	m.wantNothingLost(t) // from here on there may be no quorum
	m.loseMajority(t, m.nodes[1], n)
	m.wantMembers(t)
	m.wantNothingLost(t)
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
	if code := exitCode(err); code != notHealthy && code != 1 { // the lock in etcd may be lost sooner
		t.Errorf("exit code %d, want %d", code, notHealthy)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

func (m *masters) heal(t *testing.T, n *lab.Node) {
	t.Helper()
	if err := n.Reunite(t.Context(), m.nodes...); err != nil {
		t.Fatal(err)
	}
}

// replace takes a machine away for good, and puts an empty one of its name and address in its place.
func (m *masters) replace(t *testing.T, n *lab.Node) *lab.Node {
	t.Helper()
	m.heal(t, n)
	if err := n.PowerOff(); err != nil {
		t.Fatal(err)
	}
	return newNode(t, lab.Machine{Name: n.Name, Addr: n.Addr, Network: m.network})
}

// loseMajority has one voter of three lose its disk and another its power: a join in place of the first is refused with
// the way out, and nothing is changed. It works when the second is back.
func (m *masters) loseMajority(t *testing.T, dark, empty *lab.Node) {
	t.Helper()
	first, before := m.nodes[0], memberList(t, m.nodes[0])
	empty = m.replace(t, empty)
	m.left(dark)
	if err := dark.PowerOff(); err != nil {
		t.Fatal(err)
	}
	m.wantNoQuorum(t, empty)
	if err := dark.PowerOn(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "a majority", func(ctx context.Context) error { return errors.Join(answers(ctx, first), answers(ctx, dark)) })
	if diff := cmp.Diff(before, memberList(t, first)); diff != "" {
		t.Errorf("members changed (-before +after):\n%s", diff)
	}
	m.watchAgain(t, first, dark)
	m.join(t, "tripod", empty)
}

// watchAgain watches and writes to a cluster that was without a quorum for a while.
func (m *masters) watchAgain(t *testing.T, nodes ...*lab.Node) {
	t.Helper()
	m.quorum = lab.NewQuorum()
	t.Cleanup(m.quorum.Close)
	m.nodes = nil
	for _, n := range nodes {
		m.joined(t, n)
	}
	m.write(t)
}

// serves is nil if the etcd of a node reads linearizably.
func serves(ctx context.Context, n *lab.Node) error {
	_, err := n.Run(ctx, "curl", "--silent", "--fail", "--max-time", "2", "http://127.0.0.1:2381/readyz")
	return err
}

// answers is nil if the apiserver of a node is ready.
func answers(ctx context.Context, n *lab.Node) error {
	_, err := n.Run(ctx, "curl", "--silent", "--fail", "--insecure", "--max-time", "2", "https://"+n.Addr.String()+":6443/readyz")
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

// loseData has a master lose etcd's data directory. It must not begin again with an empty one: by what its member has
// forgotten, or as a cluster of its own.
func (m *masters) loseData(t *testing.T, n *lab.Node) {
	t.Helper()
	m.left(n)
	wipe(t, n)
	m.wantWayOut(t, n)
}

// wantWayOut wants a join on a master whose data are lost to be refused, and the way out that is named to be one.
func (m *masters) wantWayOut(t *testing.T, n *lab.Node) {
	t.Helper()
	forgetful := memberOf(t, m.nodes[0], n)
	id := fmt.Sprintf("%x", forgetful.ID)
	badMaster{code: unfit, words: []string{"/var/lib/etcd", "member " + id, "tripod etcd member remove " + id}}.check(t, m, n)
	m.removeMember(t, forgetful)
	m.join(t, "tripod", n)
	m.wantMembers(t)
}

// wipe ends etcd and empties its directory. The manifest stays away, as the kubelet would not wait for tripod.
func wipe(t *testing.T, n *lab.Node) {
	t.Helper()
	move(t, n, "/etc/kubernetes/manifests/etcd.yaml", "/etc/kubernetes/etcd.yaml")
	wantEnded(t, n, "etcd")
	must(t)(n.Run(t.Context(), "sh", "-c", "rm -r /var/lib/etcd/*"))
}
