package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// notHealthy is tripod's exit code for a component that did not become healthy.
const notHealthy = 4

// soon is how long after a crash its cause must be named.
const soon = 5 * time.Second

// A component that crashes is named at once, with its exit code and its last words, and not at the timeout.
func TestCauses(t *testing.T) {
	t.Run("port held", func(t *testing.T) {
		n := newNode(t, lab.Machine{})
		if err := n.Hold(t.Context(), n.Addr.String()+":2380"); err != nil {
			t.Fatal(err)
		}
		out := failingInit(t, n, "--ignore-preflight-errors=Port-2380")
		wantCause(t, out, "container etcd", "exit code 1", "2380: bind: address already in use", "hold (pid")
		wantNamedSoon(t, n, out)
	})
	t.Run("bad flag", func(t *testing.T) {
		n := newNode(t, lab.Machine{})
		out := failingInit(t, n, "--patches="+badFlag(t))
		wantCause(t, out, "container etcd", "exit code 2", "flag provided but not defined: -no-such-flag")
		wantNamedSoon(t, n, out)

		// The cause mended, the same command is all that it takes: a kubelet without an apiserver has to be made to
		// let go of the pod that it has.
		initMaster(t, n)
		wantReady(t, n.Kubectl)
	})
	t.Run("bad flag in a sandbox", func(t *testing.T) {
		l := newLab(t)
		s, err := l.NewSandbox("bad")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		out, err := s.Run(t.Context(), "up", "--bin-dir", l.Components(lab.Default), "--patches="+badFlag(t), "-o=json")
		if code := exitCode(err); code != notHealthy {
			t.Errorf("exit code %d, want %d", code, notHealthy)
		}
		wantCause(t, out, "etcd", "exit code 2", "flag provided but not defined: -no-such-flag")
		if took := crash(t, out).when(t).Sub(manifest(t, out).when(t)); took > soon {
			t.Errorf("named %s after the manifest was written", took)
		}
	})
}

// badFlag is a folder of patches that gives etcd a flag that it does not know.
func badFlag(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	patch := `[{"op": "add", "path": "/spec/containers/0/command/-", "value": "--no-such-flag"}]`
	if err := os.WriteFile(filepath.Join(dir, "etcd+json.json"), []byte(patch), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// failingInit runs tripod init, which is to end with a component that is not healthy, and returns its events.
func failingInit(t *testing.T, n *lab.Node, args ...string) string {
	t.Helper()
	out, err := n.Run(t.Context(), "tripod", append(lab.TripodInit(n.Version), append(args, "-o=json")...)...)
	if code := exitCode(err); code != notHealthy {
		t.Errorf("exit code %d, want %d", code, notHealthy)
	}
	return out
}

// wantCause wants the cause to be told as it happens, and again at the end.
func wantCause(t *testing.T, out string, words ...string) {
	t.Helper()
	_, end, _ := strings.Cut("\n"+out, "\nerror: ")
	for _, word := range words {
		if !strings.Contains(out, word) {
			t.Errorf("the output lacks %q:\n%s", word, out)
		}
		if !strings.Contains(end, word) {
			t.Errorf("the closing error lacks %q:\n%s", word, end)
		}
	}
}

// wantNamedSoon compares the crash, as the container's log dates it, with the moment when tripod told of it.
func wantNamedSoon(t *testing.T, n *lab.Node, out string) {
	t.Helper()
	line := must(t)(n.Run(t.Context(), "sh", "-c", "tail -qn 1 /var/log/pods/kube-system_etcd-*/etcd/0.log"))
	stamp, _, _ := strings.Cut(line, " ")
	crashed, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		t.Fatal(err)
	}
	if took := crash(t, out).when(t).Sub(crashed); took > soon {
		t.Errorf("named %s after the crash", took)
	}
}

func crash(t *testing.T, out string) event {
	return find(t, out, func(e event) bool { return e.Event == "crashed" })
}

func manifest(t *testing.T, out string) event {
	return find(t, out, func(e event) bool { return e.Event == "changed" && strings.Contains(e.Text, "etcd.yaml") })
}

func find(t *testing.T, out string, is func(event) bool) event {
	t.Helper()
	for _, e := range events(t, out) {
		if is(e) {
			return e
		}
	}
	t.Fatalf("no such event in:\n%s", out)
	return event{}
}

func (e event) when(t *testing.T) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339Nano, e.Time)
	if err != nil {
		t.Fatal(err)
	}
	return when
}
