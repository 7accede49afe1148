package e2e

import (
	"os"
	"strings"
	"testing"

	"tripod.dev/tripod/e2e/lab"
)

// A cluster whose authority's key is kept elsewhere gets its first master and a further one by leaves that are there, and
// renewal tells what it leaves to who has the key.
func TestExternalCA(t *testing.T) {
	t.Parallel()
	network := newNetwork(t)
	m := &masters{network: network, version: lab.Default, quorum: lab.NewQuorum()}
	m.listen(t)
	t.Cleanup(m.quorum.Close)
	first, further := m.machine(t, 1), m.machine(t, 2)
	init := mastersInit("tripod", first.Version)
	issuedElsewhere(t, first, init)
	out := must(t)(first.Run(t.Context(), "tripod", init...))
	m.command = append(mastersJoin(t, "tripod", out), lab.Ignored)
	m.joined(t, first)

	must(t)(first.Run(t.Context(), "cp", keptKey, "/etc/kubernetes/pki/ca.key"))
	m.copyShared(t, further)
	must(t)(first.Run(t.Context(), "rm", "/etc/kubernetes/pki/ca.key"))
	issuedElsewhere(t, further, init)
	must(t)(further.Run(t.Context(), "tripod", m.byHand(t)...))
	m.joined(t, further)
	for _, n := range m.nodes {
		if _, err := os.Stat(n.Path("/etc/kubernetes/pki/ca.key")); err == nil {
			t.Errorf("%s has the authority's key", n.Name)
		}
	}
	out = must(t)(further.Run(t.Context(), "tripod", "certs", "renew", "apiserver"))
	if want := "managed externally, and not renewed here: apiserver: "; !strings.Contains(out, want) {
		t.Errorf("the output lacks %q:\n%s", want, out)
	}
}

// keptKey is where the authority's key lies meanwhile.
const keptKey = "/root/ca.key"

// issuedElsewhere has all leaves of a node issued, and takes the authority's key away.
func issuedElsewhere(t *testing.T, n *lab.Node, init []string) {
	t.Helper()
	for _, phase := range []string{"certs", "kubeconfig"} {
		args := append([]string{"init", "phase", phase}, init[1:]...)
		must(t)(n.Run(t.Context(), "tripod", args...))
	}
	must(t)(n.Run(t.Context(), "mv", "/etc/kubernetes/pki/ca.key", keptKey))
}
