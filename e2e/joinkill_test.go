package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/e2e/lab"
)

// crowd are a master and the workers that join it, each at an address of its own.
type crowd struct {
	network *lab.Network
	master  *lab.Node
	command join
	workers byte
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	network := newNetwork(t)
	master := newMaster(t, network, "tripod")
	return &crowd{network: network, master: master, command: newJoin(t, master)}
}

func (c *crowd) worker(t *testing.T) *lab.Node {
	t.Helper()
	c.workers++
	return newWorker(t, c.network, fmt.Sprintf("worker-%d", c.workers), 10+c.workers)
}

// tripod join can be killed at any boundary between its steps, and at any moment, and run again joins.
func TestKillJoin(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	var all []string
	t.Run("undisturbed", func(t *testing.T) { all = c.boundaries(t) })
	for i, name := range all {
		if !drill() && !strings.HasSuffix(name, "certificate issued") {
			continue
		}
		t.Run(name, func(t *testing.T) { c.killAt(t, i+1) })
	}
	const longest = 1200 * time.Millisecond // about what join takes
	for range 10 {
		if !drill() {
			break
		}
		moment := rand.N(longest)
		t.Run(moment.String(), func(t *testing.T) { c.killAfter(t, moment) })
	}
}

// boundaries has tripod name the boundaries of one undisturbed join.
func (c *crowd) boundaries(t *testing.T) []string {
	t.Helper()
	worker, list := c.worker(t), filepath.Join(t.TempDir(), "boundaries")
	must(t)(output(c.killable(t.Context(), worker, "TRIPOD_KILL_LIST="+list)))
	c.wantJoined(t, worker)
	return boundaries(t, list)
}

func (c *crowd) killAt(t *testing.T, boundary int) {
	t.Helper()
	worker := c.worker(t)
	out, err := output(c.killable(t.Context(), worker, fmt.Sprintf("TRIPOD_KILL_AT=%d", boundary)))
	if exitCode(err) != -1 {
		t.Fatalf("tripod was not killed: %v\n%s", err, out)
	}
	c.wantRecovery(t, worker)
}

func (c *crowd) killAfter(t *testing.T, moment time.Duration) {
	t.Helper()
	worker := c.worker(t)
	ctx, cancel := context.WithTimeout(t.Context(), moment)
	defer cancel()
	_ = c.killable(ctx, worker, "").Run()
	c.wantRecovery(t, worker)
}

// killable is tripod join by the binary that can kill itself.
func (c *crowd) killable(ctx context.Context, worker *lab.Node, env string) *exec.Cmd {
	cmd := worker.Command(ctx, "tripod-killpoint", c.command.args()...)
	if env != "" {
		cmd.Env = append(cmd.Env, env)
	}
	return cmd
}

func output(cmd *exec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	}
	return string(out), err
}

// wantRecovery runs tripod join again where it was killed: it must end with a node as an undisturbed join makes it, on
// which there is nothing left to do.
func (c *crowd) wantRecovery(t *testing.T, worker *lab.Node) {
	t.Helper()
	t.Log(must(t)(output(c.killable(t.Context(), worker, ""))))
	c.wantJoined(t, worker)
	wantNothingStaged(t, worker)
	before := snapshot(t, worker)
	must(t)(output(c.killable(t.Context(), worker, "")))
	wantSame(t, before, snapshot(t, worker))
}

// wantJoined wants the node in the cluster, and one client certificate in use: that which the kubelet's link leads to.
func (c *crowd) wantJoined(t *testing.T, worker *lab.Node) {
	t.Helper()
	wantJoined(t, c.master, worker)
	target, err := os.Readlink(worker.Path("/var/lib/kubelet/pki/kubelet-client-current.pem"))
	if err != nil || filepath.Base(target) != target {
		t.Errorf("the kubelet's link leads to %q: %v", target, err)
	}
	if err := readyNode(t.Context(), worker); err != nil {
		t.Error(err)
	}
}

// readyNode asks the kubelet of a node for its health.
func readyNode(ctx context.Context, n *lab.Node) error {
	_, err := n.Run(ctx, "curl", "--silent", "--fail", "http://127.0.0.1:10248/healthz")
	return err
}

// wantNothingStaged wants no file that was to be renamed and was not.
func wantNothingStaged(t *testing.T, n *lab.Node) {
	t.Helper()
	var left []string
	for path := range snapshot(t, n) {
		if strings.HasPrefix(filepath.Base(path), ".") {
			left = append(left, path)
		}
	}
	if diff := cmp.Diff([]string(nil), left); diff != "" {
		t.Errorf("staged files are left:\n%s", diff)
	}
}
