package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tripod.dev/tripod/e2e/lab"
)

// tripod reset can be killed at any boundary between its steps, and run again finishes the job; init works then.
func TestKillReset(t *testing.T) {
	t.Parallel()
	n, list := newNode(t, lab.Machine{}), filepath.Join(t.TempDir(), "boundaries")
	initMaster(t, n)
	must(t)(output(resetCommand(t, n, "TRIPOD_KILL_LIST="+list)))
	all := boundaries(t, list)
	for i, name := range all {
		if !drill() && i != len(all)/2 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			initMaster(t, n)
			wantReady(t, n.Kubectl)
			killReset(t, n, i+1)
			wantReset(t, n)
		})
	}
}

// A join of a master that was killed is taken back by a reset, as far as it had come. That reset can be killed, too,
// whether the others have removed the member by then or not.
func TestKillResetMaster(t *testing.T) {
	t.Parallel()
	m := newMasters(t, "tripod")
	n, joins, resets := m.machine(t, 2), filepath.Join(t.TempDir(), "joins"), filepath.Join(t.TempDir(), "resets")
	must(t)(output(m.killable(t.Context(), n, "TRIPOD_KILL_LIST="+joins)))
	must(t)(output(resetCommand(t, n, "TRIPOD_KILL_LIST="+resets)))
	for i, name := range boundaries(t, joins) {
		if !drill() && !endsWith(name, "done etcd-join/learner") {
			continue
		}
		t.Run("join "+name, func(t *testing.T) {
			m.forget(t, n)
			out, err := output(m.killable(t.Context(), n, fmt.Sprintf("TRIPOD_KILL_AT=%d", i+1)))
			if code := exitCode(err); code != -1 && code != 0 { // not every run comes to the last boundaries of another
				t.Fatalf("tripod was not killed: %v\n%s", err, out)
			}
			t.Log(reset(t, n))
			wantReset(t, n)
			m.wantMembers(t)
		})
	}
	for i, name := range boundaries(t, resets) {
		if !drill() && !endsWith(name, "changed in remove-etcd-member") {
			continue
		}
		t.Run("reset "+name, func(t *testing.T) {
			m.forget(t, n)
			m.join(t, "tripod", n)
			m.left(n)
			killReset(t, n, i+1)
			wantReset(t, n)
			m.wantMembers(t)
		})
	}
	m.wantNothingLost(t)
}

// forget has the cluster forget a node that is no more.
func (m *masters) forget(t *testing.T, n *lab.Node) {
	t.Helper()
	must(t)(m.nodes[0].Kubectl(t.Context(), "delete", "node", n.Name, "--ignore-not-found"))
}

func endsWith(name string, ends ...string) bool {
	return slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(name, end) })
}

// killReset has a reset be killed at a boundary, and runs it again, and once more.
func killReset(t *testing.T, n *lab.Node, boundary int) {
	t.Helper()
	out, err := output(resetCommand(t, n, fmt.Sprintf("TRIPOD_KILL_AT=%d", boundary)))
	if exitCode(err) != -1 {
		t.Fatalf("tripod was not killed: %v\n%s", err, out)
	}
	t.Log(reset(t, n))
	if out := reset(t, n); !strings.Contains(out, "Nothing to do") {
		t.Error(out)
	}
}

// resetCommand is tripod reset by the binary that can kill itself.
func resetCommand(t *testing.T, n *lab.Node, env string) *exec.Cmd {
	t.Helper()
	cmd := n.Command(t.Context(), "tripod-killpoint", "reset", "--force")
	cmd.Env = append(cmd.Env, env)
	return cmd
}
