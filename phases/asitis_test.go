package phases

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// proved is a grown stage whose master is remembered as healthy.
func proved(t *testing.T) stage {
	t.Helper()
	s := grown(t, "")
	m := s.gather(t)
	g := Generation{Number: 1, Verb: "init", Verdict: Healthy, Version: s.c.Version.Tag(), Components: m.filesAlone()}
	g.document(m)
	f, err := g.file(s.c)
	if err := errors.Join(err, s.site.Host.Mkdir(generationsDir(s.c), 0o700), s.site.Host.Commit(t.Context(), f)); err != nil {
		t.Fatal(err)
	}
	return s
}

// asItIs gathers the facts of a grown stage's master, with some certificates renewed.
func (s stage) asItIs(t *testing.T, renew func(string) bool) Master {
	t.Helper()
	s.site.Kubelet = nil
	m, err := GatherAsItIs(t.Context(), s.site, s.c, Wish{Verb: "sandbox up", Renew: renew})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A master that has been up is proved, and nothing is planned for it: whatever the shell's proxies are by then, and the
// configuration that it was made by.
func TestAsItIsChangesNothing(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	s := proved(t)
	up, err := HasBeenUp(s.site.Host, s.c)
	if !up || err != nil {
		t.Fatalf("has been up: %v, %v", up, err)
	}
	m := s.asItIs(t, nil)
	if m.HalfDone() || m.Outlived() {
		t.Errorf("half done %v, outlived %v", m.HalfDone(), m.Outlived())
	}
	list, _ := Without(AsItIs(), []string{"preflight"})
	steps, _, err := Plan(list, m)
	if err != nil {
		t.Fatal(err)
	}
	proofs := 0
	for _, step := range steps {
		if len(step.Changes) > 0 {
			t.Errorf("%s changes %v", step.Phase, step.Changes)
		}
		if step.Proof.Attempt != nil {
			proofs++
		}
	}
	if proofs != len(manifests.Components())+1 {
		t.Errorf("%d proofs", proofs)
	}
}

func TestHasBeenUp(t *testing.T) {
	t.Parallel()
	s := newStage(t, clusterDocument)
	if up, err := HasBeenUp(s.site.Host, s.c); up || err != nil {
		t.Errorf("an empty machine has been up: %v, %v", up, err)
	}
	lay(t, s.site.Host, filepath.Join(generationsDir(s.c), "1.json"), "{")
	if up, err := HasBeenUp(s.site.Host, s.c); !up || err == nil {
		t.Errorf("what is known is damaged: %v, %v", up, err)
	}
}

// Leaves renews on disk. The manifests of what runs stay, so that nothing restarts by it; where nothing runs they follow.
func TestLeaves(t *testing.T) {
	t.Parallel()
	for name, alive := range map[string]bool{"running": true, "stopped": false} {
		s := proved(t)
		m := s.asItIs(t, Renewing("all"))
		m.Alive = alive
		changes, err := leavesAnew(m)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]host.File{}
		for _, c := range changes {
			for _, f := range c.Files {
				files[f.Path] = f
			}
		}
		for _, pair := range []string{"etcd/server", "etcd/peer", "apiserver-etcd-client", adminConf, schedulerConf} {
			if _, renewed := files[issuedAt(m.Config, pair)]; !renewed {
				t.Errorf("%s: %s is not renewed", name, pair)
			}
		}
		for _, component := range manifests.Components() {
			if _, written := files[manifestPath(m, component)]; written == alive {
				t.Errorf("%s: the manifest of %s is written: %v", name, component, written)
			}
		}
	}
}

// What runs by certificates that were replaced on disk is found, also by a run after the one that was killed in between; a
// manifest that somebody has edited is not.
func TestOutlived(t *testing.T) {
	t.Parallel()
	s := proved(t)
	m := s.asItIs(t, nil)
	edited := m
	edited.Files = map[string]host.File{}
	for path, f := range m.Files {
		edited.Files[path] = f
	}
	path := manifestPath(m, "etcd")
	edited.Files[path] = host.File{Path: path, Data: []byte(strings.Replace(string(m.Files[path].Data), "- etcd", "- etcd\n    - --v=3", 1))}
	if edited.Outlived() {
		t.Error("an edited manifest counts as renewed certificates")
	}
	cert := s.site.Host.Path(issuedAt(m.Config, "etcd/peer"))
	data, err := os.ReadFile(cert)
	if err := errors.Join(err, os.WriteFile(cert, append(data, '\n'), 0o644)); err != nil {
		t.Fatal(err)
	}
	if m := s.asItIs(t, nil); !m.Outlived() || m.HalfDone() {
		t.Errorf("with another peer certificate: outlived %v, half done %v", m.Outlived(), m.HalfDone())
	}
	lay(t, s.site.Host, path, "")
	if m := s.asItIs(t, nil); !m.HalfDone() {
		t.Error("without a manifest it is not half done")
	}
}

// No phase of AsItIs or Leaves touches what the cluster keeps.
func TestAsItIsHasNoObjects(t *testing.T) {
	t.Parallel()
	var with []string
	for _, p := range append(AsItIs(), Leaves()...) {
		if p.Objects != nil {
			with = append(with, p.Name)
		}
	}
	if diff := cmp.Diff([]string(nil), with); diff != "" {
		t.Error(diff)
	}
}

// A manifest that was cut is told before anything is waited for.
func TestCanRun(t *testing.T) {
	t.Parallel()
	s := proved(t)
	m := s.asItIs(t, nil)
	data := m.Manifests["etcd.yaml"]
	for length, want := range map[int]string{len(data): "", len(data) / 2: manifestPath(m, "etcd"), 10: manifestPath(m, "etcd")} {
		m.Manifests["etcd.yaml"], m.Alive = data[:length], true
		m.Files[manifestPath(m, "etcd")] = host.File{Path: manifestPath(m, "etcd"), Data: data[:length]}
		_, err := canRun(m)
		if err == nil != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("cut at %d: %v", length, err)
		}
	}
}
