package phases

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/internal/host"
)

// manifestStep writes a component's manifest with that revision and has it proved by attempt. What lies there is replaced.
func (s stage) manifestStep(t *testing.T, component, revision string, attempt func(context.Context, *Prober) error) Step {
	t.Helper()
	path := filepath.Join(s.c.Paths.Manifests, component+".yaml")
	old, exists, err := s.site.Host.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	m := Master{Facts: Facts{Files: map[string]host.File{}}}
	if exists {
		m.Files[path] = old
	}
	data := "metadata: {annotations: {tripod.dev/revision: " + revision + "}}"
	changes := write(m, host.File{Path: path, Mode: 0o600, Data: []byte(data)})
	return Step{Phase: "up/" + component, Changes: changes, Proof: Proof{Component: component, Attempt: attempt}}
}

// play applies steps in a bubble of time and returns what was told, with the seconds since the beginning.
func (s stage) play(ctx context.Context, t *testing.T, steps ...Step) ([]string, error) {
	t.Helper()
	begun := time.Now()
	told, err := s.run(ctx, t, Master{Config: s.c}, steps)
	var lines []string
	for _, line := range texts(begun, told) {
		lines = append(lines, strings.ReplaceAll(line, s.c.Paths.Manifests+"/", ""))
	}
	return lines, err
}

func expect(t *testing.T, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("told (-want +got)\n%s", diff)
	}
}

// failing is a proof that is never given.
func failing(reason string) func(context.Context, *Prober) error {
	return func(context.Context, *Prober) error { return errors.New(reason) }
}

// ends is a container that has ended at those moments, one after the other, and is started again at once.
func ends(log string, at ...time.Duration) func(string) (host.Running, error) {
	begun := time.Now()
	return func(revision string) (host.Running, error) {
		now := host.Running{Revision: revision, State: host.Started}
		for _, d := range at {
			if end := begun.Add(d); !end.After(time.Now()) {
				now.Exit = &host.Exit{Code: 1, At: end, Log: []string{log}}
				now.Restarts++
			}
		}
		return now, nil
	}
}

func TestApplyInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "")
		manager := s.manifestStep(t, "kube-controller-manager", "b", healthyAfter(9*time.Second))
		manager.Alongside = true
		slow := Change{Verb: "create", What: "Node n", do: func(context.Context, Site) error {
			time.Sleep(7 * time.Second)
			return nil
		}}
		got, err := s.play(t.Context(), t,
			Step{Phase: "files", Changes: write(Master{}, host.File{Path: filepath.Join(s.c.Paths.Kubernetes, "x"), Mode: 0o600})},
			s.manifestStep(t, "etcd", "a", healthyAfter(2*time.Second)),
			manager,
			s.manifestStep(t, "kube-apiserver", "c", healthyAfter(3*time.Second)),
			Step{Phase: "offline", Proof: Proof{Attempt: failing("never asked")}, Unproved: true},
			Step{Phase: "slow", Changes: []Change{slow}, Alongside: true},
			Step{Phase: proveEverything, Proof: Proof{Attempt: healthyAfter(0)}, AfterAll: true},
			Step{Phase: "last"})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string][]string{
			"files":   {"0s begun", "0s changed: create " + s.c.Paths.Kubernetes + "/x (0600)", "0s done"},
			"up/etcd": {"0s begun", "0s changed: create etcd.yaml (0600)", "0s waiting: connection refused", "2s proved"},
			"up/kube-controller-manager": {"2s begun", "2s changed: create kube-controller-manager.yaml (0600)",
				"2s waiting: connection refused", "11s proved"},
			"up/kube-apiserver": {"2s begun", "2s changed: create kube-apiserver.yaml (0600)", "2s waiting: connection refused", "5s proved"},
			"offline":           {"5s begun", "5s unproved"},
			"slow":              {"5s begun", "12s changed: create Node n", "12s done"},
			proveEverything:     {"12s begun", "12s proved"},
			"last":              {"12s begun", "12s done"},
		}
		if diff := cmp.Diff(want, byPhase(got)); diff != "" {
			t.Errorf("told (-want +got)\n%s", diff)
		}
		entries, err := s.site.Host.ReadJournal(filepath.Join(s.c.Paths.State, "journal.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		var journal []string
		for _, e := range entries {
			journal = append(journal, e.Phase+" "+e.Status)
		}
		slices.Sort(journal)
		expect(t, []string{"files begun", "files done", "slow begun", "slow done", "up/etcd begun", "up/etcd proved", "up/kube-apiserver begun",
			"up/kube-apiserver proved", "up/kube-controller-manager begun", "up/kube-controller-manager proved"}, journal)
	})
}

// byPhase are lines of events without the phase, by the phase: those that go alongside are told in any order.
func byPhase(lines []string) map[string][]string {
	phases := map[string][]string{}
	for _, line := range lines {
		at, rest, _ := strings.Cut(line, " ")
		kind, rest, _ := strings.Cut(rest, " ")
		phase, text, found := strings.Cut(rest, ": ")
		if found {
			kind += ": " + text
		}
		phases[phase] = append(phases[phase], at+" "+kind)
	}
	return phases
}

// The first failure stops those that go alongside, and nothing after it begins.
func TestApplyStopsAtTheFirstFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "")
		first := s.manifestStep(t, "kube-controller-manager", "a", failing("refused"))
		first.Alongside = true
		s.actor.plays("kube-controller-manager", ends("unknown flag: --x", time.Second))
		got, err := s.play(t.Context(), t, first,
			s.manifestStep(t, "kube-apiserver", "b", failing("no answer")), Step{Phase: proveEverything})
		mentions(t, err, "up/kube-controller-manager: container kube-controller-manager ended with exit code 1: unknown flag: --x")
		if last := got[len(got)-1]; !strings.HasPrefix(last, "1s failed up/kube-controller-manager") {
			t.Errorf("last was %s", last)
		}
	})
}

func TestApplyPutsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "")
		applyOne(t, s, "old")
		// The new one ends at once, and once more when it makes room for the old one.
		crashing := ends("flag provided but not defined: -x", time.Second, 2*time.Second)
		back := time.Now().Add(10 * time.Second)
		s.actor.plays("etcd", func(revision string) (host.Running, error) {
			if revision == "new" {
				return crashing(revision)
			}
			running, _ := crashing("new")
			if time.Now().After(back) {
				running.Revision, running.Exit = "old", nil
			}
			return running, nil
		})
		healthy := func(context.Context, *Prober) error {
			if time.Now().After(back) {
				return nil
			}
			return errors.New("connection refused")
		}
		got, err := s.play(t.Context(), t, s.manifestStep(t, "etcd", "new", healthy), Step{Phase: "next"})
		expect(t, []string{
			"0s begun up/etcd", "0s changed up/etcd: replace etcd.yaml (0600)", "0s waiting up/etcd: connection refused",
			"1s crashed up/etcd: container etcd ended with exit code 1, its last lines:",
			"1s failed up/etcd: container etcd ended with exit code 1: flag provided but not defined: -x",
			"1s waiting up/etcd: connection refused",
			"10s restored up/etcd: the earlier etcd is back and healthy",
		}, got)
		var unhealthy *UnhealthyError
		if !errors.As(err, &unhealthy) || unhealthy.Exit.Code != 1 {
			t.Errorf("got %v", err)
		}
		data, err := os.ReadFile(filepath.Join(s.c.Paths.Manifests, "etcd.yaml"))
		if err != nil || !strings.Contains(string(data), "old") {
			t.Errorf("on disk: %s, %v", data, err)
		}
	})
}

// When the old one does not get healthy either, both are told.
func TestApplyPutsBackInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "")
		applyOne(t, s, "old")
		begun := time.Now()
		got, err := s.play(t.Context(), t, s.manifestStep(t, "etcd", "new", failing("connection refused")))
		mentions(t, err, "up/etcd: etcd is not healthy after 4m0s: connection refused")
		mentions(t, err, "up/etcd: the earlier etcd is back, but: etcd is not healthy after 4m0s")
		if failed := got[len(got)-2]; !strings.HasPrefix(failed, "240s failed") || time.Since(begun) < 8*time.Minute {
			t.Errorf("after %s: %s", time.Since(begun), failed)
		}
	})
}

func applyOne(t *testing.T, s stage, revision string) {
	t.Helper()
	if _, err := s.play(t.Context(), t, s.manifestStep(t, "etcd", revision, healthyAfter(0))); err != nil {
		t.Fatal(err)
	}
}

// Ctrl-C stops at once, without a verdict on anything; a second run goes on.
func TestApplyInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "")
		reason := errors.New("interrupt signal received")
		ctx, interrupt := context.WithCancelCause(t.Context())
		time.AfterFunc(2*time.Second, func() { interrupt(reason) })
		begun := time.Now()
		got, err := s.play(ctx, t, s.manifestStep(t, "etcd", "a", failing("connection refused")), Step{Phase: "next"})
		if !errors.Is(err, reason) || time.Since(begun) > 3*time.Second {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
		expect(t, []string{"0s begun up/etcd", "0s changed up/etcd: create etcd.yaml (0600)", "0s waiting up/etcd: connection refused"}, got)
		again := s.manifestStep(t, "etcd", "a", healthyAfter(0))
		if len(again.Changes) > 0 {
			t.Errorf("written again: %v", again.Changes)
		}
		got, err = s.play(t.Context(), t, again)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, []string{"0s begun up/etcd", "0s proved up/etcd"}, got)
	})
}

// A change that fails says which, and the next are not begun.
func TestApplyFailingChange(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	broken := Change{Verb: "start", What: "kubelet", do: func(context.Context, Site) error { return errors.New("no service") }}
	got, err := s.play(t.Context(), t, Step{Phase: "kubelet-start", Changes: []Change{broken}}, Step{Phase: "next"})
	mentions(t, err, "kubelet-start: start kubelet: no service")
	expect(t, []string{"0s begun kubelet-start", "0s failed kubelet-start: start kubelet: no service"}, got)
}

// What a killed run left staged goes when everything is proved, and not before.
func TestApplySweeps(t *testing.T) {
	t.Parallel()
	for last, swept := range map[string]bool{proveEverything: true, "certs": false} {
		s := newStage(t, "")
		leftover := filepath.Join(s.c.Paths.PKI, "etcd", ".server.key.tripod")
		if err := os.MkdirAll(filepath.Dir(leftover), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(leftover, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.play(t.Context(), t, Step{Phase: last, Sweeps: swept}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(leftover); os.IsNotExist(err) != swept {
			t.Errorf("%s: %v", last, err)
		}
	}
}
