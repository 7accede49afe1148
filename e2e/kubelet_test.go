package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// What tripod init makes of a machine with a kubelet and containerd.
func TestKubelet(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			n := newNode(t, lab.Machine{Version: version})
			began := time.Now()
			t.Log(initMaster(t, n))
			t.Logf("tripod init took %s", time.Since(began))
			wantReady(t, n.Kubectl)
			wantVersion(t, n.Kubectl, version)
			wantMirrorPods(t, n)
			writeConfigMap(t, n.Kubectl, "kept")
			for _, component := range killedOnNode() {
				killOnNode(t, n, component)
				wantConfigMap(t, n.Kubectl, "kept")
			}
			wantLeases(t, n.Kubectl)
		})
	}
}

// killedOnNode are the components to be ended. The kubelet backs off longer from each.
func killedOnNode() []string {
	if drill() {
		return componentNames[:]
	}
	return componentNames[:1] // etcd, which takes the others along
}

// The same on a real kubelet as TestSandboxGoesBack: the pod that was healthy before runs again, with its data.
func TestKubeletGoesBack(t *testing.T) {
	n := newNode(t, lab.Machine{})
	initMaster(t, n)
	writeConfigMap(t, n.Kubectl, "kept")
	out, err := n.Run(t.Context(), "tripod", "apply", "--patches="+badFlag(t), "--output=json")
	if code := exitCode(err); code != notHealthy {
		t.Errorf("exit code %d, want %d", code, notHealthy)
	}
	wantCause(t, out, "container etcd", "exit code 2", "flag provided but not defined: -no-such-flag")
	find(t, out, func(e event) bool { return e.Event == "restored" })
	until(t, "ready again", func(ctx context.Context) error { return ready(ctx, n.Kubectl) })
	wantConfigMap(t, n.Kubectl, "kept")
}

// initMaster runs tripod init on a node and returns what it printed.
func initMaster(t *testing.T, n *lab.Node, args ...string) string {
	t.Helper()
	return must(t)(n.Run(t.Context(), "tripod", append(lab.TripodInit(n.Version), args...)...))
}

// wantMirrorPods wants the node and its four static pods to be seen through the API.
func wantMirrorPods(t *testing.T, n *lab.Node) {
	t.Helper()
	until(t, "node and mirror pods", func(ctx context.Context) error {
		out, err := n.Kubectl(ctx, "get", "nodes,pods", "--all-namespaces", "--output=name")
		if err != nil {
			return err
		}
		for _, want := range []string{"node/" + n.Name, "pod/etcd-" + n.Name, "pod/kube-apiserver-" + n.Name, "pod/kube-controller-manager-" + n.Name, "pod/kube-scheduler-" + n.Name} {
			if !strings.Contains(out, want+"\n") {
				return fmt.Errorf("no %s among:\n%s", want, out)
			}
		}
		return nil
	})
}

// killOnNode ends a component as kill -9 does, and waits until the kubelet has brought it back.
func killOnNode(t *testing.T, n *lab.Node, component string) {
	t.Helper()
	var before string
	until(t, component+" runs", func(ctx context.Context) (err error) { // it may be backing off from the end of what it needs
		before, err = pidOnNode(ctx, n, component)
		return err
	})
	must(t)(n.Run(t.Context(), "kill", "-9", before))
	until(t, component+" comes back", func(ctx context.Context) error {
		now, err := pidOnNode(ctx, n, component)
		if err == nil && now == before {
			err = errors.New("it still has its old pid")
		}
		return err
	})
}

// pidOnNode is the process of a component as the node counts.
func pidOnNode(ctx context.Context, n *lab.Node, component string) (string, error) {
	out, err := n.Run(ctx, "sh", "-c", `for p in /proc/[0-9]*; do
		[ "$(readlink "$p/exe")" != "/usr/local/bin/`+component+`" ] || basename "$p"
	done`)
	if err == nil && out == "" {
		err = errors.New("no process of " + component)
	}
	return strings.TrimSpace(out), err
}

// init on a healthy master changes nothing, and says so quickly.
func TestInitAgain(t *testing.T) {
	t.Parallel()
	n := newNode(t, lab.Machine{})
	initMaster(t, n)
	before, processes := snapshot(t, n), pids(t, n)
	began := time.Now()
	out := initMaster(t, n)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a second init took %s:\n%s", took, out)
	}
	wantSame(t, before, snapshot(t, n))
	if after := pids(t, n); after != processes {
		t.Errorf("processes were %s, now %s", processes, after)
	}
}

func pids(t *testing.T, n *lab.Node) string {
	t.Helper()
	all := map[string]string{}
	for _, component := range componentNames {
		all[component] = must(t)(pidOnNode(t.Context(), n, component))
	}
	text, err := json.Marshal(all)
	return must(t)(string(text), err)
}
