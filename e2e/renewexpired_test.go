package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// rounds are more than it takes to renew three masters one after the other: in the first each gets etcd's certificates.
const rounds = 4

// Three masters whose certificates have all expired are brought back one after the other, by one command that is run again
// where it says so. Their etcd has its quorum all the time, and nothing that was written is lost.
func TestRenewExpiredMasters(t *testing.T) {
	t.Parallel()
	drillOnly(t)
	m := mortalMasters(t, 150*time.Second)
	m.awaitExpiry(t)
	written := m.writer.Stop().Acknowledged // nobody lets the writer in any more
	for round := range rounds {
		if m.renewAll(t, round) == 0 {
			break
		}
		if round == rounds-1 {
			t.Fatal("the masters are never done")
		}
	}
	for _, n := range m.nodes {
		for name, cert := range leafs(t, n) {
			if time.Now().After(cert.NotAfter) {
				t.Errorf("%s of %s has expired", name, n.Name)
			}
		}
		wantReady(t, n.Kubectl)
		there := must(t)(n.Kubectl(t.Context(), "get", "configmaps", "--output=name"))
		for _, key := range written {
			if !strings.Contains(there, key) {
				t.Errorf("%s has lost %s", n.Name, key)
			}
		}
	}
	m.wantMembers(t)
	m.quorum.Close()
	if lost, where, _ := m.quorum.Lost(); lost > longestLoss {
		t.Errorf("etcd could not be read for %s: %s", lost, where)
	}
}

// mortalMasters are three masters whose leafs end after that time.
func mortalMasters(t *testing.T, validity time.Duration) *masters {
	t.Helper()
	m := &masters{network: newNetwork(t), version: lab.Default, quorum: lab.NewQuorum()}
	m.listen(t)
	t.Cleanup(m.quorum.Close)
	first := m.machine(t, 1)
	document := fmt.Sprintf("apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: %s\ncontrolPlaneEndpoint: 10.88.0.1:6443\ncertificateValidityPeriod: %s\n", lab.Default, validity)
	if err := os.WriteFile(first.Path("/var/short.yaml"), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	out := must(t)(first.Run(t.Context(), "tripod", "init", "--config=/var/short.yaml", "--upload-certs", lab.Ignored))
	m.command = append(mastersJoin(t, "tripod", out), lab.Ignored)
	m.joined(t, first)
	m.write(t)
	for number := range byte(2) {
		m.join(t, "tripod", m.machine(t, 2+number))
	}
	return m
}

// awaitExpiry waits until every leaf of every master has expired, those that were made last, too.
func (m *masters) awaitExpiry(t *testing.T) {
	t.Helper()
	var end time.Time
	for _, n := range m.nodes {
		for _, cert := range leafs(t, n) {
			if cert.NotAfter.After(end) {
				end = cert.NotAfter
			}
		}
	}
	time.Sleep(time.Until(end.Add(2 * time.Second)))
}

// renewAll renews on each master once, and counts those that are not done: they name who has to be renewed before.
func (m *masters) renewAll(t *testing.T, round int) (left int) {
	t.Helper()
	for _, n := range m.nodes {
		out, err := n.Run(t.Context(), "tripod", "certs", "renew", "all")
		t.Logf("round %d, %s: %v\n%s", round, n.Name, err, out)
		switch code := exitCode(err); {
		case err == nil:
		case code == unfit && strings.Contains(out, "first, then here once more"):
			left++
		default:
			t.Fatalf("exit code %d", code)
		}
	}
	return left
}
