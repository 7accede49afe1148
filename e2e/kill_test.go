package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// drill says whether to be thorough: every step boundary and twenty random moments instead of three of each.
func drill() bool { return os.Getenv("TRIPOD_DRILL") != "" }

// drillOnly leaves the test to make drill. It is reported as not run, rather than counted as passed.
func drillOnly(t *testing.T) {
	t.Helper()
	if !drill() {
		t.Skip("a drill")
	}
}

// tripod init can be killed at any boundary between its steps, and run again finishes the job.
func TestKillAtBoundary(t *testing.T) {
	t.Parallel()
	var all []string
	t.Run("undisturbed", func(t *testing.T) { all = listBoundaries(t) })
	if len(all) == 0 {
		return
	}
	t.Logf("%d boundaries", len(all))
	for i, name := range all {
		if !drill() && i%(len(all)/3) != len(all)/6 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			n, list := newNode(t, lab.Machine{}), filepath.Join(t.TempDir(), "boundaries")
			cmd := initCommand(t, n, fmt.Sprintf("TRIPOD_KILL_AT=%d", i+1))
			cmd.Env = append(cmd.Env, "TRIPOD_KILL_LIST="+list)
			out, err := cmd.CombinedOutput()
			if exitCode(err) != -1 {
				t.Fatalf("tripod was not killed: %v\n%s", err, out)
			}
			t.Log("killed at ", last(boundaries(t, list))) // what goes alongside takes its turns as it likes
			wantRecovery(t, n)
		})
	}
}

// listBoundaries has tripod name the boundaries of one undisturbed init.
func listBoundaries(t *testing.T) []string {
	t.Helper()
	n := newNode(t, lab.Machine{})
	list := filepath.Join(t.TempDir(), "boundaries")
	if out, err := initCommand(t, n, "TRIPOD_KILL_LIST="+list).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return boundaries(t, list)
}

// boundaries are the names in a list that tripod wrote, each with its number.
func boundaries(t *testing.T, list string) []string {
	t.Helper()
	data, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(data)) {
		names = append(names, strings.TrimSpace(line))
	}
	return names
}

func last(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return names[len(names)-1]
}

// initCommand is tripod init by the binary that can kill itself.
func initCommand(t *testing.T, n *lab.Node, env string) *exec.Cmd {
	t.Helper()
	cmd := n.Command(t.Context(), "tripod-killpoint", lab.TripodInit(n.Version)...)
	cmd.Env = append(cmd.Env, env)
	return cmd
}

// tripod init can be killed at any moment, and run again finishes the job.
func TestKillAtRandom(t *testing.T) {
	t.Parallel()
	const longest = 8 * time.Second // about what init takes
	rounds := 3
	if drill() {
		rounds = 20
	}
	for range rounds {
		moment := rand.N(longest)
		t.Run(moment.String(), func(t *testing.T) {
			n := newNode(t, lab.Machine{})
			ctx, cancel := context.WithTimeout(t.Context(), moment)
			defer cancel()
			_ = n.Command(ctx, "tripod", lab.TripodInit(n.Version)...).Run()
			wantRecovery(t, n)
		})
	}
}

// tripod sandbox up can be killed at any moment too, and neither doubles nor loses a process.
func TestKillSandboxUp(t *testing.T) {
	t.Parallel()
	const longest = 5 * time.Second
	rounds := 2
	if drill() {
		rounds = 20
	}
	l := newLab(t)
	for range rounds {
		moment := rand.N(longest)
		t.Run(moment.String(), func(t *testing.T) {
			s, err := l.NewSandbox("killed")
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), moment)
			defer cancel()
			_ = s.Command(ctx, "up", "--bin-dir", l.Components(lab.Default)).Run()
			must(t)(s.Run(t.Context(), "up", "--bin-dir", l.Components(lab.Default)))
			wantReady(t, s.Kubectl)
			for _, component := range componentNames {
				if found := processesBelow(t, l.Component(lab.Default, component)+"\x00"); len(found) != 1 {
					t.Errorf("%d processes of %s:\n%s", len(found), component, strings.Join(found, "\n"))
				}
			}
		})
	}
}

// wantRecovery runs tripod init again where it was killed: it must end with the healthy master that an undisturbed init
// makes, and keep the CA if there was one.
func wantRecovery(t *testing.T, n *lab.Node) {
	t.Helper()
	before, _ := os.ReadFile(n.Path("/etc/kubernetes/pki/ca.crt"))
	t.Log(must(t)(output(initCommand(t, n, "TRIPOD_KILL_AT="))))
	wantReady(t, n.Kubectl)
	wantPairs(t, n.Path("/etc/kubernetes/pki"))
	after, err := os.ReadFile(n.Path("/etc/kubernetes/pki/ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if before != nil && string(before) != string(after) {
		t.Error("the CA is another one")
	}
	wantNothingStaged(t, n)
	files, objects := snapshot(t, n), objectVersions(t, n)
	must(t)(output(initCommand(t, n, "TRIPOD_KILL_AT=")))
	wantSame(t, files, snapshot(t, n))
	if after := objectVersions(t, n); after != objects {
		t.Errorf("before:\n%safter:\n%s", objects, after)
	}
}

// objectVersions are what changes where an object that init makes does. All have to be there.
func objectVersions(t *testing.T, n *lab.Node) string {
	t.Helper()
	must(t)(n.Kubectl(t.Context(), "--namespace=kube-public", "get", "configmap/cluster-info", "role/kubeadm:bootstrap-signer-clusterinfo"))
	must(t)(n.Kubectl(t.Context(), "get", "node", n.Name, "--output=jsonpath={.metadata.labels.node-role\\.kubernetes\\.io/control-plane}"))
	return addonVersions(t, n) + must(t)(n.Kubectl(t.Context(), "--namespace=kube-system", "get", "configmap/kubeadm-config", "configmap/kubelet-config",
		"clusterrolebinding/kubeadm:cluster-admins", "clusterrolebinding/kubeadm:node-autoapprove-bootstrap",
		`--output=jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.resourceVersion}{"\n"}{end}`)) +
		must(t)(n.Kubectl(t.Context(), "--namespace=kube-system", "get", "secret", "--field-selector=type=bootstrap.kubernetes.io/token", "--output=name"))
}

// wantPairs wants each certificate to be that of its key.
func wantPairs(t *testing.T, pki string) {
	t.Helper()
	pairs := 0
	err := filepath.WalkDir(pki, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".crt" {
			return err
		}
		pairs++
		if _, err := tls.LoadX509KeyPair(path, strings.TrimSuffix(path, ".crt")+".key"); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pairs < 10 {
		t.Errorf("only %d certificates", pairs)
	}
}
