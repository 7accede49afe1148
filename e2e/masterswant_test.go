package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/e2e/lab"
)

// A leader is lost and found within two seconds; the rest is room for a machine of two processors that runs five masters.
const longestGap, longestLoss = 8 * time.Second, 5 * time.Second

// wantMasters wants a whole cluster of them, and that nothing was missing while it grew.
func (m *masters) wantMasters(t *testing.T) {
	t.Helper()
	for _, n := range m.nodes {
		wantMaster(t, m.nodes[0], n)
	}
	m.wantMembers(t)
	m.wantOneLeader(t)
	m.wantEndpoints(t)
	m.wantNothingLost(t)
}

// wantMaster wants the marks of a master on its Node, an apiserver that talks to its own etcd, and pods that were started
// once.
func wantMaster(t *testing.T, first, n *lab.Node) {
	t.Helper()
	wantJoined(t, first, n)
	wantReady(t, n.Kubectl)
	marks := must(t)(first.Kubectl(t.Context(), "get", "node", n.Name, `--output=jsonpath={.metadata.labels} {.spec.taints}`))
	for _, mark := range []string{`"node-role.kubernetes.io/control-plane":""`, `"node.kubernetes.io/exclude-from-external-load-balancers":""`,
		`"effect":"NoSchedule","key":"node-role.kubernetes.io/control-plane"`} {
		if !strings.Contains(marks, mark) {
			t.Errorf("%s lacks %s: %s", n.Name, mark, marks)
		}
	}
	wantOwnEtcd(t, n)
	wantStartedOnce(t, n)
}

// wantOwnEtcd wants the apiserver's connections to etcd to lead to that of its own node.
func wantOwnEtcd(t *testing.T, n *lab.Node) {
	t.Helper()
	out := must(t)(n.Run(t.Context(), "ss", "--no-header", "--tcp", "--numeric", "--processes", "state", "established", "dport = :2379"))
	own := 0
	for line := range strings.Lines(out) {
		switch fields := strings.Fields(line); {
		case !strings.Contains(line, `"kube-apiserver"`):
		case fields[3] == "127.0.0.1:2379" || fields[3] == n.Addr.String()+":2379":
			own++
		default:
			t.Errorf("the apiserver of %s talks to etcd of another: %s", n.Name, line)
		}
	}
	if own == 0 {
		t.Errorf("the apiserver of %s does not talk to its etcd:\n%s", n.Name, out)
	}
}

// wantStartedOnce wants no container of the master's to be a second try: the kubelet numbers their logs. etcd may be
// started anew, once: a learner that got its own name by a snapshot would wait seven seconds for it otherwise.
func wantStartedOnce(t *testing.T, n *lab.Node) {
	t.Helper()
	for _, component := range componentNames {
		tries := 1
		if component == "etcd" {
			tries = 2
		}
		logs := must(t)(n.Run(t.Context(), "sh", "-c", "echo /var/log/pods/kube-system_"+component+"-*/"+component+"/*"))
		if words := strings.Fields(logs); len(words) > tries || !strings.HasSuffix(words[0], "/0.log") {
			t.Errorf("%s of %s was started more than once: %s", component, n.Name, logs)
		}
	}
}

// wantMembers wants etcd to have a voter on every master, and nobody else.
func (m *masters) wantMembers(t *testing.T) {
	t.Helper()
	var names []string
	for _, n := range m.nodes {
		names = append(names, n.Name)
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, members(t, m.nodes[0])); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

// members are the names of etcd's members, of which none is a learner, as one of them tells.
func members(t *testing.T, n *lab.Node) []string {
	t.Helper()
	var names []string
	for _, m := range memberList(t, n) {
		if m.IsLearner {
			m.Name += " (learner)"
		}
		names = append(names, m.Name)
	}
	slices.Sort(names)
	return names
}

// member is a member of etcd as etcdctl tells it.
type member struct {
	ID        uint64
	Name      string
	PeerURLs  []string `json:"peerURLs"`
	IsLearner bool
}

func memberList(t *testing.T, n *lab.Node) []member {
	t.Helper()
	var list struct{ Members []member }
	out := must(t)(etcdctl(t.Context(), n, "member", "list"))
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return list.Members
}

func memberOf(t *testing.T, asked, n *lab.Node) member {
	t.Helper()
	list := memberList(t, asked)
	i := slices.IndexFunc(list, func(m member) bool { return m.Name == n.Name })
	if i < 0 {
		t.Fatalf("%s has no member in %v", n.Name, list)
	}
	return list[i]
}

// etcdctl asks the etcd of a node.
func etcdctl(ctx context.Context, n *lab.Node, args ...string) (string, error) {
	const pki = "/etc/kubernetes/pki/etcd/"
	return n.Run(ctx, "etcdctl", append([]string{"--endpoints=https://127.0.0.1:2379", "--cacert=" + pki + "ca.crt",
		"--cert=" + pki + "server.crt", "--key=" + pki + "server.key", "--write-out=json"}, args...)...)
}

// wantOneLeader wants all members to follow the same one.
func (m *masters) wantOneLeader(t *testing.T) {
	t.Helper()
	var status []struct {
		Status struct{ Leader uint64 }
	}
	out := must(t)(etcdctl(t.Context(), m.nodes[0], "endpoint", "status", "--cluster"))
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	leaders := map[uint64]bool{}
	for _, s := range status {
		leaders[s.Status.Leader] = true
	}
	if len(leaders) != 1 || leaders[0] || len(status) != len(m.nodes) {
		t.Errorf("not all members have the same leader: %s", out)
	}
}

// wantEndpoints wants the Service kubernetes to lead to every master.
func (m *masters) wantEndpoints(t *testing.T) {
	t.Helper()
	var want []string
	for _, n := range m.nodes {
		want = append(want, n.Addr.String())
	}
	slices.Sort(want)
	until(t, "endpoints of the Service kubernetes", func(ctx context.Context) error {
		out, err := m.nodes[0].Kubectl(ctx, "get", "endpointslice", "kubernetes", "--output=jsonpath={.endpoints[*].addresses[*]}")
		got := strings.Fields(out)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); err == nil && diff != "" {
			err = fmt.Errorf("addresses (-want +got):\n%s", diff)
		}
		return err
	})
}

// wantNothingLost ends the writing and the watching: every acknowledged key must be there, whichever master is asked, and
// the cluster must not have been away.
func (m *masters) wantNothingLost(t *testing.T) {
	t.Helper()
	record := m.writer.Stop()
	m.quorum.Close()
	lost, where, reads := m.quorum.Lost()
	t.Logf("%d keys acknowledged, %d not (%v); longest gap %s before %s; longest without quorum %s (%s), %d reads", len(record.Acknowledged),
		record.Failed, record.LastError, record.Gap.Round(time.Millisecond), record.GapAt, lost.Round(time.Millisecond), where, reads)
	if len(record.Acknowledged) == 0 || record.Gap > longestGap {
		t.Errorf("the cluster could not be written to for %s", record.Gap)
	}
	if lost > longestLoss {
		t.Errorf("etcd could not be read for %s: %s", lost, where)
	}
	m.wantKeys(t)
}

// wantKeys wants every acknowledged key of a writer that was stopped to be there, whichever master is asked.
func (m *masters) wantKeys(t *testing.T) {
	t.Helper()
	for _, n := range m.nodes {
		missing, err := m.writer.Lost(t.Context(), "https://"+n.Addr.String()+":6443")
		if err != nil || len(missing) > 0 {
			t.Errorf("%s has lost %v: %v", n.Name, missing, err)
		}
	}
}
