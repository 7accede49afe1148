package e2e

import (
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// A single master of the earlier minor version is upgraded, whoever has made it.
func TestUpgrade(t *testing.T) {
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
	out := must(t)(n.Kubectl(t.Context(), "--namespace=kube-system", "get", "configmap", "kubeadm-config", "--output=jsonpath={.data.ClusterConfiguration}"))
	if !strings.Contains(out, "kubernetesVersion: "+version) {
		t.Errorf("kubeadm-config says\n%s", out)
	}
}

// Three masters are upgraded one after the other, and nobody who calls the cluster notices.
func TestUpgradeMasters(t *testing.T) {
	m := newMastersOf(t, "tripod", lab.PreviousMinor)
	for number := range byte(2) {
		m.join(t, "tripod", m.machine(t, 2+number))
	}
	calls := m.call(t)
	for i, n := range m.nodes {
		args := []string{"upgrade", "node", ignored}
		if i == 0 {
			args = []string{"upgrade", "apply", lab.Default, "--yes", ignored}
		}
		began := time.Now()
		out := must(t)(n.Run(t.Context(), "tripod", args...))
		t.Logf("%s took %s\n%s", n.Name, time.Since(began), out)
	}
	wantAnswered(t, calls)
	for _, n := range m.nodes {
		wantUpgraded(t, n, lab.Default)
	}
	m.wantMembers(t)
	m.wantNothingLost(t)
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

// wantAnswered wants every call to have been answered.
func wantAnswered(t *testing.T, calls *lab.Caller) {
	t.Helper()
	record := calls.Stop()
	t.Logf("%d calls answered, %d of them at the second try, the slowest after %s", record.Answered, record.Retried, record.Slowest)
	for _, why := range record.Failed[:min(len(record.Failed), 10)] {
		t.Error(why)
	}
	if len(record.Failed) > 0 {
		t.Errorf("%d calls failed", len(record.Failed))
	}
}
