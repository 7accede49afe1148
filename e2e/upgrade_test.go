package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"tripod.dev/tripod/e2e/lab"
)

// A single master of the earlier minor version is upgraded, whoever has made it.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"tripod", "kubeadm"} {
		t.Run("made by "+program, func(t *testing.T) {
			n := oldMaster(t, program)
			writeConfigMap(t, n.Kubectl, "kept")
			began := time.Now()
			out := must(t)(n.Run(t.Context(), "tripod", "upgrade", "apply", lab.Default, "--yes", lab.Ignored))
			t.Logf("took %s\n%s", time.Since(began), out)
			wantConfigMap(t, n.Kubectl, "kept")
			wantReady(t, n.Kubectl)
			wantUpgraded(t, n, lab.Default)
			t.Log(must(t)(n.Run(t.Context(), "tripod", "history")))
		})
	}
}

// ignored are the preflight errors of nodes without a pod network, too.
const ignored = lab.Ignored + ",ControlPlaneNodesReady"

// wantUpgraded wants all of Kubernetes' components of a master to run that version, and the cluster to know.
func wantUpgraded(t *testing.T, n *lab.Node, version string) {
	t.Helper()
	for _, component := range componentNames[1:] {
		pid := must(t)(pidOnNode(t.Context(), n, component))
		if says := must(t)(n.Run(t.Context(), "/proc/"+pid+"/exe", "--version")); strings.TrimSpace(says) != "Kubernetes "+version {
			t.Errorf("%s of %s is %s", component, n.Name, says)
		}
	}
	out := must(t)(n.Kubectl(t.Context(), "--namespace=kube-system", "get", "configmap", "kubeadm-config", "--output=jsonpath={.data.ClusterConfiguration}"))
	if !strings.Contains(out, "kubernetesVersion: "+version) {
		t.Errorf("kubeadm-config says\n%s", out)
	}
}

// Three masters are upgraded one after the other, whenever they are told to, and nobody who calls the cluster notices. With
// one of them dead no other is stopped.
func TestUpgradeMasters(t *testing.T) {
	m := oldMasters(t, "tripod")
	third := m.nodes[2]
	m.left(third)
	if err := third.PowerOff(); err != nil {
		t.Fatal(err)
	}
	m.wantQuorumGuarded(t, third)
	if err := third.PowerOn(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "all masters", func(ctx context.Context) error { return errors.Join(serves(ctx, third), serves(ctx, m.nodes[0])) })
	m.joined(t, third)

	calls := m.call(t)
	t.Log(must(t)(m.nodes[0].Run(t.Context(), "tripod", "upgrade", "apply", lab.Default, "--yes", ignored)))
	m.upgradeOthers(t)
	wantAnswered(t, calls)
	for _, n := range m.nodes {
		wantUpgraded(t, n, lab.Default)
		wantOwnEtcd(t, n)
		if last := generations(t, n)[0]; last.Verdict != "healthy" || last.Version != lab.Default {
			t.Errorf("history of %s ends with %+v", n.Name, last)
		}
	}
	m.wantMembers(t)
	wantAddons(t, m.nodes[0])
	m.wantNothingLost(t)
}

// oldMasters are three masters of the earlier minor version.
func oldMasters(t *testing.T, program string) *masters {
	t.Helper()
	m := newMastersOf(t, program, lab.PreviousMinor)
	for number := range byte(2) {
		m.join(t, program, m.machine(t, 2+number))
	}
	return m
}

// wantQuorumGuarded wants no second master to be stopped while one is dead, whatever is asked for.
func (m *masters) wantQuorumGuarded(t *testing.T, dead *lab.Node) {
	t.Helper()
	first := m.nodes[0]
	before, running := snapshot(t, first), must(t)(pidOnNode(t.Context(), first, "etcd"))
	for _, more := range [][]string{{ignored}, {"--force", ignored}, {"--force", "--ignore-preflight-errors=all"}} {
		out, err := first.Run(t.Context(), "tripod", append([]string{"upgrade", "apply", lab.Default, "--yes"}, more...)...)
		if code := exitCode(err); code != unfit && code != 1 {
			t.Errorf("%v: exit code %d, want %d:\n%s", more, code, unfit, out)
		}
		wantSays(t, out, "1 of 3 voters would be healthy, and 2 are needed", dead.Name+": ")
	}
	wantSame(t, before, snapshot(t, first))
	if now := must(t)(pidOnNode(t.Context(), first, "etcd")); now != running {
		t.Errorf("etcd was %s, now %s", running, now)
	}
}

// upgradeOthers tells the other masters to upgrade at the same moment. One waits for the other, and says so.
func (m *masters) upgradeOthers(t *testing.T) {
	t.Helper()
	var all errgroup.Group
	outs := make([]string, len(m.nodes))
	for i, n := range m.nodes[1:] {
		all.Go(func() (err error) {
			outs[i], err = n.Run(t.Context(), "tripod", "upgrade", "node", ignored)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, out := range outs {
		t.Log(out)
	}
	if both := strings.Join(outs, ""); strings.Count(both, "it is the turn of ") != 1 {
		t.Errorf("nobody has waited for the other, or both:\n%s", both)
	}
	if a, b := turnOf(t, m.nodes[1]), turnOf(t, m.nodes[2]); a.ended.After(b.began) && b.ended.After(a.began) {
		t.Errorf("both at once: %+v, %+v", a, b)
	}
}

// turn is when a master was the one that changes.
type turn struct{ began, ended time.Time }

// turnOf is the last turn of a master, by its journal: from when etcd or the apiserver was stopped until the latter was proved.
func turnOf(t *testing.T, n *lab.Node) turn {
	t.Helper()
	data, err := os.ReadFile(n.Path("/var/lib/tripod/journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var found turn
	for line := range strings.Lines(string(data)) {
		var e struct {
			Time          time.Time
			Phase, Status string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		switch e.Phase + " " + e.Status {
		case "control-plane/stop begun":
			found.began = e.Time
		case "control-plane/apiserver proved":
			found.ended = e.Time
		}
	}
	if found.began.IsZero() || found.ended.Before(found.began) {
		t.Errorf("%s had no turn: %+v", n.Name, found)
	}
	return found
}

// wantAddons wants the addons to be of the new version, now that all masters are.
func wantAddons(t *testing.T, n *lab.Node) {
	t.Helper()
	image := must(t)(n.Kubectl(t.Context(), "--namespace=kube-system", "get", "daemonset", "kube-proxy", "--output=jsonpath={.spec.template.spec.containers[0].image}"))
	if want := "registry.k8s.io/kube-proxy:" + lab.Default; image != want {
		t.Errorf("kube-proxy is %s, want %s", image, want)
	}
}

// call begins to call the cluster through its endpoint, 50 times a second.
func (m *masters) call(t *testing.T) *lab.Caller {
	t.Helper()
	admin := must(t)(m.nodes[0].Kubectl(t.Context(), "config", "view", "--raw", "--output=json"))
	calls, err := m.network.StartCaller([]byte(admin), time.Second/50)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { calls.Stop() })
	return calls
}

// wantAnswered wants every call to have been answered. A few may have met an election: etcd drops what is proposed in that
// millisecond (raft: ErrProposalDropped), whoever has called for it, and an apiserver passes that on.
func wantAnswered(t *testing.T, calls *lab.Caller) {
	t.Helper()
	record := calls.Stop()
	t.Logf("%d calls answered, %d of them at the second try, the slowest after %s", record.Answered, record.Retried, record.Slowest)
	elections := 0
	for _, why := range record.Failed {
		if strings.Contains(why, "raft proposal dropped") || strings.Contains(why, "etcdserver: leader changed") || strings.Contains(why, "possibly due to previous leader failure") {
			elections++
			t.Log("met an election: ", why)
			continue
		}
		t.Error(why)
	}
	if elections > 3 || len(record.Failed) > elections {
		t.Errorf("%d calls failed", len(record.Failed))
	}
}
