package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"tripod.dev/tripod/e2e/lab"
)

// A master that is reset is a member no more, whoever leads; the others never notice, and it can join again. Where they
// would lose their quorum by it, nothing is changed until the dead one is removed.
func TestResetMaster(t *testing.T) {
	t.Parallel()
	m := newMasters(t, "tripod")
	for number := range byte(2) {
		m.join(t, "tripod", m.machine(t, 2+number))
	}
	leader := m.leader(t)
	wantSays(t, m.reset(t, leader), "remove "+leader.Name+" (", "kubectl delete node "+leader.Name)
	m.wantMembers(t)
	must(t)(m.nodes[0].Kubectl(t.Context(), "delete", "node", leader.Name))
	m.join(t, "tripod", leader)
	m.wantMembers(t)
	m.wantNothingLost(t)

	first, second, dead := m.nodes[0], m.nodes[1], m.nodes[2]
	for _, n := range []*lab.Node{second, dead} {
		if err := n.PowerOff(); err != nil {
			t.Fatal(err)
		}
	}
	wantNoWay(t, first, second, dead)

	powerCycle(t, first, second)
	until(t, "a majority", func(ctx context.Context) error { return serves(ctx, first) })
	wantRefusals(t, second, "1 of 2 voters would be healthy, and 2 are needed", dead.Name+": ", "--skip-phases remove-etcd-member")
	wantMemberVerbs(t, first, dead, second)
	m.nodes = []*lab.Node{first, second}
	m.wantMembers(t)
	reset(t, second)
	wantReset(t, second)
	until(t, "ready again", func(ctx context.Context) error { return ready(ctx, first.Kubectl) }) // its etcd was away
	etcdAway(t, first)                                                                            // its data say that it is alone
	wantSays(t, reset(t, first), "this is the only etcd member")
	wantReset(t, first)
}

// wantNoWay wants a master without a quorum to stay as it is, and the members too, whether its etcd runs or not.
func wantNoWay(t *testing.T, first *lab.Node, others ...*lab.Node) {
	t.Helper()
	causes := []string{others[0].Name + ": ", others[1].Name + ": ", "--skip-phases remove-etcd-member"}
	wantRefusal(t, first, []string{"reset", "--force"}, append(causes, "etcd has lost its quorum: 0 of 3 voters are healthy")...)
	out, err := first.Run(t.Context(), "tripod", "etcd", "member", "remove", others[0].Name)
	if code := exitCode(err); code != unfit {
		t.Errorf("exit code %d, want %d", code, unfit)
	}
	wantCause(t, out, "etcd has lost its quorum", "hint: bring one of them back")

	etcdAway(t, first)
	defer move(t, first, etcdAside, etcdManifest)
	out, err = first.Run(t.Context(), "tripod", "reset", "--force")
	if code := exitCode(err); code != unfit {
		t.Errorf("exit code %d, want %d", code, unfit)
	}
	wantCause(t, out, "none of etcd's members (", others[0].Name, others[1].Name)
	if _, err := os.Stat(first.Path("/var/lib/etcd/member")); err != nil {
		t.Error(err)
	}
}

const etcdManifest, etcdAside = "/etc/kubernetes/manifests/etcd.yaml", "/var/etcd.yaml"

// etcdAway takes etcd's manifest away and waits until it has ended.
func etcdAway(t *testing.T, n *lab.Node) {
	t.Helper()
	move(t, n, etcdManifest, etcdAside)
	wantEnded(t, n, "etcd")
}

// powerCycle has machines start anew, be they off or on. A kubelet that goes on would not bring back for minutes the etcd whose
// manifest went and came: it deletes the mirror pod before, which an apiserver without a quorum answers after 34 s, time and
// again (pkg/kubelet/kubelet_pods.go, HandlePodCleanups).
func powerCycle(t *testing.T, nodes ...*lab.Node) {
	t.Helper()
	for _, n := range nodes {
		if err := errors.Join(n.PowerOff(), n.PowerOn(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
}

// leader is the master whose member leads.
func (m *masters) leader(t *testing.T) *lab.Node {
	t.Helper()
	var list struct {
		Members []struct {
			Name   string
			Leader bool
		}
	}
	out := must(t)(m.nodes[0].Run(t.Context(), "tripod", "etcd", "member", "list", "-o", "json"))
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	for _, member := range list.Members {
		if i := slices.IndexFunc(m.nodes, func(n *lab.Node) bool { return n.Name == member.Name }); i >= 0 && member.Leader {
			return m.nodes[i]
		}
	}
	t.Fatalf("nobody leads: %s", out)
	return nil
}

// reset takes a master out that is counted no more from then on, and returns what was printed.
func (m *masters) reset(t *testing.T, n *lab.Node, args ...string) string {
	t.Helper()
	m.left(n)
	out := reset(t, n, args...)
	t.Log(out)
	wantReset(t, n)
	return out
}

// wantRefusals wants a reset to be refused in all its spellings.
func wantRefusals(t *testing.T, n *lab.Node, causes ...string) {
	t.Helper()
	for _, more := range [][]string{{}, {"phase", "cleanup-node"}, {"--ignore-preflight-errors=all"}} {
		wantRefusal(t, n, append([]string{"reset", "--force"}, more...), causes...)
	}
}

// wantRefusal wants a reset to be refused, with the cause and the way out, and nothing changed.
func wantRefusal(t *testing.T, n *lab.Node, args []string, causes ...string) {
	t.Helper()
	before, running := snapshot(t, n), must(t)(pidOnNode(t.Context(), n, "etcd"))
	out, err := n.Run(t.Context(), "tripod", args...)
	if code := exitCode(err); code != unfit {
		t.Errorf("%v: exit code %d, want %d:\n%s", args, code, unfit, out)
	}
	wantCause(t, out, causes...)
	wantSame(t, before, snapshot(t, n))
	if now := must(t)(pidOnNode(t.Context(), n, "etcd")); now != running {
		t.Errorf("etcd was %s, now %s", running, now)
	}
}

// wantMemberVerbs wants what tripod etcd says of three members of which one is dead, and has it removed.
func wantMemberVerbs(t *testing.T, first, dead, third *lab.Node) {
	t.Helper()
	for _, tt := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"status"}, notHealthy, []string{"2 of 3 voters are healthy, 2 are needed, 0 more may fail", "etcd member " + dead.Name + " is not healthy"}},
		{[]string{"member", "list"}, 0, []string{dead.Name + " ", "connecting to etcd: dial tcp " + dead.Addr.String()}},
		{[]string{"member", "remove", "nobody"}, badInput, []string{`no member "nobody"`, first.Name + " (", dead.Name + " ("}},
		{[]string{"member", "remove", first.Name}, badInput, []string{"own etcd member, and healthy", "tripod reset"}},
		{[]string{"member", "remove", third.Name}, unfit, []string{"1 of 2 voters would be healthy", dead.Name + ": "}},
		{[]string{"member", "remove", dead.Name}, 0, []string{dead.Name + " (", "is removed"}},
		{[]string{"status"}, 0, []string{"2 of 2 voters are healthy"}},
	} {
		out, err := first.Run(t.Context(), "tripod", append([]string{"etcd"}, tt.args...)...)
		t.Logf("tripod etcd %s\n%s", strings.Join(tt.args, " "), out)
		if code := exitCode(err); code != tt.code {
			t.Errorf("%v: exit code %d, want %d", tt.args, code, tt.code)
		}
		wantSays(t, out, tt.says...)
	}
}

func wantSays(t *testing.T, out string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(out, word) {
			t.Errorf("the output lacks %q:\n%s", word, out)
		}
	}
}
