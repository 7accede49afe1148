package phases

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/manifests"
)

// upgrade plans the components' phases. given are proofs of what is new, or comes back; others are given at once.
func upgrade(t *testing.T, m Master, given attempts) []Step {
	t.Helper()
	proof := func(component string) Proof {
		p := Proof{Component: component, Attempt: given[component]}
		if p.Attempt == nil {
			p.Attempt = healthyAfter(0)
		}
		return p
	}
	list := slices.DeleteFunc(Only(Upgrade(), "control-plane"), func(p Phase) bool { return strings.HasSuffix(p.Name, "/prove") })
	for i, p := range list {
		if p.Proof.Component != "" {
			list[i].Proof = proof(p.Proof.Component)
		}
		if p.Name != "control-plane/stop" {
			continue
		}
		list[i].Want = func(m Master) ([]Change, error) {
			w := &way{master: m}
			for _, component := range manifests.Components() {
				w.plan(component)
			}
			for i := range w.takes {
				w.takes[i].proof = proof(w.takes[i].proof.Component)
			}
			return []Change{{Verb: "stop", What: strings.Join(w.names(), ", "), do: w.clear}}, nil
		}
	}
	steps, _, err := Plan(list, m)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// attempts are proofs by component.
type attempts = map[string]func(context.Context, *Prober) error

// refusing is a proof that is given as long as the component's manifest is there, and does not have the flag.
func (s stage) refusing(component, flag, reason string) func(context.Context, *Prober) error {
	return func(context.Context, *Prober) error {
		f, exists, err := s.site.Host.Read(filepath.Join(s.c.Paths.Manifests, component+".yaml"))
		if err == nil && (!exists || strings.Contains(string(f.Data), flag)) {
			err = errors.New(reason)
		}
		return err
	}
}

// manifests are those on disk.
func (s stage) manifests(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, component := range manifests.Components() {
		if f, exists, err := s.site.Host.Read(filepath.Join(s.c.Paths.Manifests, component+".yaml")); err != nil {
			t.Fatal(err)
		} else if exists {
			found[component] = string(f.Data)
		}
	}
	return found
}

// replaced are the components whose manifests are not what they were.
func (s stage) replaced(t *testing.T, before map[string]string) string {
	t.Helper()
	now := s.manifests(t)
	return strings.Join(slices.DeleteFunc(manifests.Components(), func(component string) bool { return now[component] == before[component] }), " ")
}

// ofKind are the events of a kind, without the moment.
func ofKind(told []Event, kind Kind) []string {
	var lines []string
	for _, e := range told {
		if e.Kind == kind {
			lines = append(lines, e.Phase+": "+e.Text)
		}
	}
	return lines
}

func TestGoesBack(t *testing.T) {
	t.Parallel()
	all := []func(*Master){otherEtcd, otherAPIServer, otherManager, otherScheduler, solitary(t)}
	for name, tt := range map[string]struct {
		change   []func(*Master)
		refuses  string // the component that does not get healthy
		flag     string // by this in its manifest; what lay there before has it too where it does not come back either
		back     []string
		replaced string
		wentBack bool
	}{
		"all of it, who is needed first": {change: all, refuses: "etcd", flag: "snapshot-count=5000",
			back: []string{"etcd", "apiserver", "controller-manager", "scheduler"}, wentBack: true},
		"what is proved stays": {change: all, refuses: "kube-apiserver", flag: "--v=4",
			back: []string{"apiserver", "controller-manager", "scheduler"}, replaced: "etcd", wentBack: true},
		"the last alone": {change: all, refuses: "kube-scheduler", flag: "--v=4",
			back: []string{"scheduler"}, replaced: "etcd kube-apiserver kube-controller-manager", wentBack: true},
		"what only had to make way, too": {change: []func(*Master){otherEtcd, solitary(t)}, refuses: "etcd", flag: "snapshot-count=5000",
			back: []string{"etcd", "apiserver"}, wentBack: true},
		"in vain": {change: all, refuses: "etcd", flag: "etcd",
			back: []string{"apiserver", "controller-manager", "scheduler"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := grown(t, "")
				before := s.manifests(t)
				m := s.living(t, tt.change...)
				attempts := attempts{tt.refuses: s.refusing(tt.refuses, tt.flag, "connection refused")}
				if strings.HasPrefix(tt.refuses, "kube-apiserver") { // the controller-manager needs it
					attempts["kube-controller-manager"] = s.refusing(tt.refuses, tt.flag, "no apiserver")
				}
				told, err := s.run(t.Context(), t, m, upgrade(t, m, attempts))
				mentions(t, err, " is not healthy after 4m0s: ") // the component, or who goes beside it and needs it
				var back *WentBackError
				if errors.As(err, &back) != tt.wentBack {
					t.Errorf("went back: %v", err)
				}
				var want []string
				for _, name := range tt.back {
					component := map[bool]string{true: name, false: "kube-" + name}[name == "etcd"]
					want = append(want, "control-plane/"+name+": the earlier "+component+" is back and healthy")
				}
				got := ofKind(told, Restored) // what comes back side by side comes in any order
				slices.Sort(got)
				slices.Sort(want)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				if got := s.replaced(t, before); got != tt.replaced {
					t.Errorf("new are %q, want %q", got, tt.replaced)
				}
				if g := s.living(t).newest(); g.Verdict != Refused || !strings.Contains(g.Cause, " is not healthy after 4m0s: ") || len(g.Components) > 0 {
					t.Errorf("remembered is %v: %s", g, g.Cause)
				}
			})
		})
	}
}

// Who goes on with what a killed run has begun goes back to what ran before that one.
func TestHalfway(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	ill := func(components ...string) func(*Master) {
		return func(m *Master) {
			for _, component := range components {
				m.Living.Unwell[component] = errors.New("no answer")
			}
		}
	}
	taken := func(component string) func(*Master) {
		return func(m *Master) { delete(m.Files, manifestPath(*m, component)) }
	}
	remade := func(m *Master) {
		f := m.Files[manifestPath(*m, "etcd")]
		f.Data = bytes.Replace(f.Data, []byte("    - etcd\n"), []byte("    - etcd\n    - --v=4\n"), 1)
		m.Files[manifestPath(*m, "etcd")] = f
	}
	back := func(to int) func(*Master) { return func(m *Master) { m.Living.Back = &Generation{Number: to} } }
	killed := begun("upgrade apply", "v1.36.3")
	for name, tt := range map[string]struct {
		change []func(*Master)
		want   []string
	}{
		"nothing was begun":      {[]func(*Master){known(Healthy), taken("etcd"), ill("etcd")}, nil},
		"nothing was touched":    {[]func(*Master){known(Healthy), killed, ill("etcd")}, nil},
		"taken away":             {[]func(*Master){known(Healthy), killed, taken("etcd"), taken("kube-apiserver"), ill("etcd", "kube-apiserver", "kube-scheduler")}, []string{"etcd", "kube-apiserver"}},
		"new, and not healthy":   {[]func(*Master){known(Healthy), killed, remade, ill("etcd")}, []string{"etcd"}},
		"new, and healthy":       {[]func(*Master){known(Healthy), killed, remade}, []string{"etcd, proved"}},
		"it is where one goes":   {[]func(*Master){known(Healthy), killed, taken("etcd"), ill("etcd"), back(1)}, nil},
		"one goes further":       {[]func(*Master){known(Healthy), known(Healthy), killed, taken("etcd"), ill("etcd"), back(1)}, []string{"etcd"}},
		"nothing is known of it": {[]func(*Master){killed, taken("etcd"), ill("etcd")}, nil},
	} {
		m := s.living(t, tt.change...)
		before, _ := s.living(t).revision("etcd")
		var got []string
		for _, way := range m.halfway() {
			got = append(got, way.proof.Component+map[bool]string{true: ", proved"}[way.proved])
			if way.phase == "control-plane/etcd" && !cmp.Equal(way.old, before.host()) {
				t.Errorf("%s: the earlier etcd is %v", name, way.old)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What has taken nothing away has nothing to go back to.
func TestGoesNotBack(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	before := s.manifests(t)
	m := s.living(t, otherScheduler)
	steps := upgrade(t, m, nil)
	for i, step := range steps {
		if step.Phase == "control-plane/stop" {
			steps[i] = Step{Phase: step.Phase, Changes: []Change{{Verb: "stop", What: "all", do: func(context.Context, Site) error { return errors.New("no quorum") }}}}
		}
	}
	told, err := s.run(t.Context(), t, m, steps)
	mentions(t, err, "control-plane/stop: stop all: no quorum")
	var back *WentBackError
	if errors.As(err, &back) || ofKind(told, Restored) != nil || s.replaced(t, before) != "" {
		t.Errorf("went back: %v, %v", err, told)
	}
	if g := s.living(t).newest(); g.Verdict != Refused || g.Cause != err.Error() {
		t.Errorf("remembered is %v", g)
	}
}

// Ctrl-C in the middle does not leave the master without what was taken away.
func TestInterruptGoesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := grown(t, "")
		before := s.manifests(t)
		m := s.living(t, otherEtcd, solitary(t))
		reason := errors.New("interrupt signal received")
		ctx, interrupt := context.WithCancelCause(t.Context())
		time.AfterFunc(2*time.Second, func() { interrupt(reason) })
		begun := time.Now()
		told, err := s.run(ctx, t, m, upgrade(t, m, attempts{"etcd": s.refusing("etcd", "snapshot-count=5000", "connection refused")}))
		var back *WentBackError
		if !errors.Is(err, reason) || !errors.As(err, &back) || time.Since(begun) > time.Minute {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
		expect(t, []string{"control-plane/etcd: the earlier etcd is back and healthy",
			"control-plane/apiserver: the earlier kube-apiserver is back and healthy"}, ofKind(told, Restored))
		if got := s.replaced(t, before); got != "" {
			t.Errorf("new are %s", got)
		}
	})
}

// A change that gets healthy leaves no way back, and the new files.
func TestUpgradeReplaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := grown(t, "")
		before := s.manifests(t)
		m := s.living(t, otherEtcd, solitary(t))
		told, err := s.run(t.Context(), t, m, upgrade(t, m, attempts{"etcd": healthyAfter(3 * time.Second)}))
		if got := s.replaced(t, before); err != nil || ofKind(told, Restored) != nil || got != "etcd" {
			t.Errorf("new are %s, %v", got, err)
		}
		if g := s.living(t).newest(); g.Verdict != UnderWay {
			t.Errorf("not judged yet, but remembered as %v", g)
		}
	})
}

func TestRetreats(t *testing.T) {
	t.Parallel()
	way := func(component, phase string) retreat {
		return retreat{phase: phase, proof: Proof{Component: component}}
	}
	r := &retreats{}
	r.add(way("kube-scheduler", "stop"), way("kube-apiserver", "stop"))
	r.add(way("etcd", "stop"), way("kube-apiserver", "later"), way("kube-controller-manager", "stop"))
	back := func(other bool) string {
		var got []string
		for _, each := range r.whole(func(retreat) bool { return other }) {
			got = append(got, each.proof.Component+" "+each.phase)
		}
		return strings.Join(got, ", ")
	}
	expect(t, []string{"etcd stop, kube-apiserver stop, kube-controller-manager stop, kube-scheduler stop"}, []string{back(false)})
	r.prove("etcd")
	r.prove("kube-controller-manager")
	if r.has("etcd") || !r.has("kube-apiserver") {
		t.Errorf("left are %v", r.all)
	}
	expect(t, []string{"kube-apiserver stop, kube-scheduler stop", "kube-apiserver stop, kube-controller-manager stop, kube-scheduler stop"}, []string{back(false), back(true)})
	r.prove("kube-apiserver")
	expect(t, []string{"kube-scheduler stop", "kube-scheduler stop"}, []string{back(false), back(true)})
	r.add(way("kube-controller-manager", "later"))
	expect(t, []string{"kube-controller-manager stop, kube-scheduler stop"}, []string{back(true)})
}
