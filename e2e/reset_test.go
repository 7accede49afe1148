package e2e

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/e2e/lab"
)

// A first master that is reset is as it was before, and init works on it again, whoever made it before.
func TestReset(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"tripod", "kubeadm"} {
		if program == "kubeadm" && !drill() {
			continue
		}
		t.Run("of "+program, func(t *testing.T) {
			n := newNode(t, lab.Machine{})
			args := lab.TripodInit(n.Version)
			if program == "kubeadm" {
				args = lab.KubeadmInit(n.Version)
			}
			must(t)(n.Run(t.Context(), program, args...))
			writeConfigMap(t, n.Kubectl, "lost")
			began := time.Now()
			t.Log(reset(t, n))
			t.Logf("tripod reset took %s", time.Since(began))
			wantReset(t, n)
			if out := reset(t, n); !strings.Contains(out, "Nothing to do") {
				t.Error(out)
			}
			initMaster(t, n)
			wantReady(t, n.Kubectl)
			if out, err := n.Kubectl(t.Context(), "--namespace=default", "get", "configmap", "kept"); err == nil {
				t.Errorf("the earlier cluster is there: %s", out)
			}
		})
	}
}

// A worker that is reset is told whose Node stays, and can join again.
func TestResetWorker(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	worker := c.worker(t)
	for range 2 {
		must(t)(worker.Run(t.Context(), "tripod", c.command.args()...))
		c.wantJoined(t, worker)
		out := reset(t, worker)
		if want := "kubectl delete node " + worker.Name; !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
		wantReset(t, worker)
		must(t)(c.master.Kubectl(t.Context(), "delete", "node", worker.Name))
	}
	wantReady(t, c.master.Kubectl)
}

// reset runs tripod reset on a node and returns what it printed.
func reset(t *testing.T, n *lab.Node, args ...string) string {
	t.Helper()
	return must(t)(n.Run(t.Context(), "tripod", append([]string{"reset", "--force"}, args...)...))
}

// wantReset wants nothing left of init and join: no file, process, pod or mount.
func wantReset(t *testing.T, n *lab.Node) {
	t.Helper()
	for what, left := range map[string][]string{
		"files":     filesBelow(t, n, "/etc/kubernetes", "/var/lib/kubelet", "/var/lib/etcd", "/var/lib/tripod"),
		"processes": processesOn(t, n, append([]string{"kubelet", "pause", "kube-proxy"}, componentNames...)),
		"pods":      strings.Fields(must(t)(n.Run(t.Context(), "sh", "-c", "ctr --namespace=k8s.io containers list --quiet 2>/dev/null"))),
		"mounts":    strings.Fields(must(t)(n.Run(t.Context(), "sh", "-c", `awk '$5 ~ "^/var/lib/kubelet/" {print $5}' /proc/self/mountinfo`))),
	} {
		if diff := cmp.Diff([]string(nil), left); diff != "" && len(left) > 0 {
			t.Errorf("%s are left:\n%s", what, diff)
		}
	}
}

func filesBelow(t *testing.T, n *lab.Node, roots ...string) []string {
	t.Helper()
	var files []string
	for _, root := range roots {
		err := filepath.WalkDir(n.Path(root), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				files = append(files, strings.TrimPrefix(path, n.Path("/")))
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	return files
}

// processesOn are those of programs by their names, as the node counts.
func processesOn(t *testing.T, n *lab.Node, names []string) []string {
	t.Helper()
	var found []string
	for _, name := range names {
		if pids, err := n.Run(t.Context(), "pidof", name); err == nil {
			found = append(found, fmt.Sprintf("%s %s", name, strings.TrimSpace(pids)))
		}
	}
	return found
}
