package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/internal/sandbox"
	"tripod.dev/tripod/manifests"
)

// box is a sandbox of three on disk, of which nothing runs.
func box(t *testing.T) sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.New(t.TempDir(), "box", 3)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const existing = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - command: [etcd, --initial-cluster-state=existing]\n"

// Only the first master begins a cluster, and only where there is none.
func TestFounds(t *testing.T) {
	t.Parallel()
	s := box(t)
	m1, m2 := s.Masters[0], s.Masters[1]
	want := func(when string, first bool) {
		t.Helper()
		if founds(s, m1) != first || founds(s, m2) {
			t.Errorf("%s: m1 founds %t, m2 %t", when, founds(s, m1), founds(s, m2))
		}
	}
	want("nothing is there", true)
	put(t, etcdManifest(s, m1), strings.Replace(existing, "existing", "new", 1))
	want("it has begun one", true)
	put(t, etcdManifest(s, m2), existing)
	want("the second has joined", true)
	if err := os.Remove(etcdManifest(s, m1)); err != nil {
		t.Fatal(err)
	}
	want("its files are lost", false)
	put(t, etcdManifest(s, m1), existing)
	want("it has joined again", false)
}

// What is shared comes from the first master that has it all, and is as private there as here.
func TestShare(t *testing.T) {
	t.Parallel()
	s := box(t)
	m1, m2, m3 := s.Masters[0], s.Masters[1], s.Masters[2]
	if elder(s).Name != "m1" {
		t.Errorf("of an empty sandbox the elder is %s", elder(s).Name)
	}
	for _, name := range []string{"ca.key", "ca.crt", "etcd/ca.key", "etcd/ca.crt", "sa.key"} {
		put(t, filepath.Join(s.Paths(m2).PKI, name), name)
	}
	put(t, filepath.Join(s.Paths(m1).PKI, "ca.key"), "half of what m1 had")
	put(t, adminConfOf(s, m2), "admin")
	if elder(s).Name != "m2" || adminConf(s) != adminConfOf(s, m2) {
		t.Errorf("the elder is %s", elder(s).Name)
	}
	put(t, filepath.Join(s.Paths(m3).PKI, "sa.key"), "its own")
	if err := share(t.Context(), host.Open("/"), s.Paths(elder(s)), s.Paths(m3)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"ca.key": "ca.key", "etcd/ca.crt": "etcd/ca.crt", "sa.key": "its own"} {
		path := filepath.Join(s.Paths(m3).PKI, name)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(path); string(data) != want || err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s holds %q (%s), %v", name, data, info.Mode(), err)
		}
	}
}

func TestEven(t *testing.T) {
	t.Parallel()
	for masters, warned := range map[int]string{0: "", 1: "", 3: "", 2: "2 masters bear the loss of 0, no more than 1 do", 4: "4 masters bear the loss of 1, no more than 3 do"} {
		u := sandboxUp{masters: masters}
		if got, _, _ := strings.Cut(strings.Join(u.even(), ""), "\n"); got != warned {
			t.Errorf("%d masters: %q", masters, got)
		}
	}
}

// In the midst of an upgrade it is told which masters have which version.
func TestVersions(t *testing.T) {
	t.Parallel()
	s := box(t)
	s.KubernetesVersion = "v1.35.4"
	if got := versions(s); got != "v1.35.4" {
		t.Errorf("before: %s", got)
	}
	s.SetRelease("m2", sandbox.Release{KubernetesVersion: "v1.36.3", BinDir: "/newer"})
	if got := versions(s); got != "v1.35.4 (m1 m3), v1.36.3 (m2)" {
		t.Errorf("in its midst: %s", got)
	}
}

// What a sandbox is to become is what is asked for, or what it has begun to become, or the newest; with the binaries that it
// is known to have of that.
func TestUpgradeRelease(t *testing.T) {
	t.Parallel()
	older, newer := programsOf(t, "v1.34.4"), programsOf(t, "v1.35.4")
	idle := box(t)
	idle.KubernetesVersion, idle.BinDir = "v1.34.4", older
	begun := idle
	begun.Upgrade = &sandbox.Release{KubernetesVersion: "v1.35.4", BinDir: newer}
	for _, test := range []struct {
		name       string
		s          sandbox.Sandbox
		to, binDir string
		want       sandbox.Release
		problem    string
	}{
		{name: "newest", s: idle, binDir: programsOf(t, "v1.36.3"), want: sandbox.Release{KubernetesVersion: "v1.36.3"}},
		{name: "without v", s: idle, to: "1.35.4", binDir: newer, want: sandbox.Release{KubernetesVersion: "v1.35.4"}},
		{name: "a label", s: idle, to: "stable-1.35", binDir: newer, want: sandbox.Release{KubernetesVersion: "v1.35.4"}},
		{name: "the same", s: idle, to: "v1.34.4", want: sandbox.Release{KubernetesVersion: "v1.34.4", BinDir: older}},
		{name: "goes on", s: begun, want: sandbox.Release{KubernetesVersion: "v1.35.4", BinDir: newer}},
		{name: "goes on with others", s: begun, binDir: programsOf(t, "v1.35.4"), want: sandbox.Release{KubernetesVersion: "v1.35.4"}},
		{name: "given up", s: begun, to: "v1.34.4", want: sandbox.Release{KubernetesVersion: "v1.34.4", BinDir: older}},
		{name: "not supported", s: idle, to: "v1.99.0", problem: "v1.99.0 is not supported"},
		{name: "no version", s: idle, to: "new", problem: `"new" is not a version`},
		{name: "no binaries", s: idle, to: "v1.35.4", binDir: filepath.Join(older, "none"), problem: "there is no executable etcd, kube-apiserver"},
		{name: "binaries of another version", s: idle, to: "v1.35.4", binDir: older, problem: "kube-scheduler is of Kubernetes v1.34.4, not of v1.35.4"},
		{name: "other programs", s: idle, to: "v1.35.4", binDir: programsOf(t, ""), problem: "kube-apiserver --version does not say"},
	} {
		u := sandboxUpgrade{to: test.to, binDir: test.binDir}
		got, err := u.release(t.Context(), test.s)
		if test.binDir != "" {
			test.want.BinDir = test.binDir
		}
		switch {
		case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem) || !strings.Contains(err.Error(), "hint: ")):
			t.Errorf("%s: %v", test.name, err)
		case test.problem == "" && (err != nil || got != test.want):
			t.Errorf("%s: %v, %v, want %v", test.name, got, err, test.want)
		}
	}
}

// programsOf is a directory of programs that say that they are of a version.
func programsOf(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	for _, component := range manifests.Components() {
		put(t, filepath.Join(dir, component), "#!/bin/sh\necho Kubernetes "+version+"\n")
		if err := os.Chmod(filepath.Join(dir, component), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
