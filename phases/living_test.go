package phases

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

const quick = "encryptionAlgorithm: ECDSA-P256\n"

// grown is a stage on which a master has come up.
func grown(t *testing.T, documents string) stage {
	t.Helper()
	s := newStage(t, clusterDocument+quick+documents)
	s.bringUp(t)
	return s
}

func (s stage) bringUp(t *testing.T) {
	t.Helper()
	list, _ := Without(Init(), []string{"preflight"}) // in a bubble of time the clock is long ago
	m := s.gather(t)
	steps, _, err := Plan(list, m)
	if err != nil {
		t.Fatal(err)
	}
	applyAll(t, s, m, steps)
}

// living is the master of a grown stage as one finds it who changes it. Its processes have no number: nobody must be ended.
func (s stage) living(t *testing.T, change ...func(*Master)) Master {
	t.Helper()
	m := s.gather(t)
	m.Living = &Living{Was: s.c, Verb: "upgrade apply", Unwell: map[string]error{}}
	generations, err := ReadGenerations(s.site.Host, s.c)
	if err != nil {
		t.Fatal(err)
	}
	m.Generations = generations
	for component, running := range m.Running {
		running.PID = 0
		m.Running[component] = running
	}
	for _, f := range change {
		f(&m)
	}
	m.begin()
	return m
}

// Changes of one component each.
func otherEtcd(m *Master) {
	m.Cluster.Etcd.Local = &config.LocalEtcd{ExtraArgs: []config.Arg{{Name: "snapshot-count", Value: "5000"}}}
}

func otherAPIServer(m *Master) {
	m.Cluster.APIServer.ExtraArgs = []config.Arg{{Name: "v", Value: "4"}}
}

func otherManager(m *Master) {
	m.Cluster.ControllerManager.ExtraArgs = []config.Arg{{Name: "v", Value: "4"}}
}

func otherScheduler(m *Master) {
	m.Cluster.Scheduler.ExtraArgs = []config.Arg{{Name: "v", Value: "4"}}
}

// solitary is a master whose etcd does not run, and has no other member.
func solitary(t *testing.T) func(*Master) {
	return func(m *Master) {
		storesMembers(t, *m, m.Node.Registration.Name)
		m.Survey.Dirs[filepath.Join(memberDir(m.Config), "snap")] = host.Dir{Exists: true}
		members, err := etcd.Stored(m.Paths.EtcdData)
		if err != nil {
			t.Fatal(err)
		}
		m.Etcd = There(m.atRest(members, errors.New("connection refused")))
	}
}

func skipping(phases ...string) func(*Master) {
	return func(m *Master) { m.Node.SkipPhases = phases }
}

// What lives and is as it is to be is not touched.
func TestLivingUnchanged(t *testing.T) {
	t.Parallel()
	m := grown(t, "").living(t)
	for _, component := range manifests.Components() {
		if changes, err := changed(component)(m); err != nil || len(changes) > 0 {
			t.Errorf("%s: %v, %v", component, changes, err)
		}
	}
	for name, want := range map[string]func(Master) ([]Change, error){"stop": makeWay, "keep": keepEarlier, "kubeconfigs": changedKubeconfigs} {
		if changes, err := want(m); err != nil || len(changes) > 0 {
			t.Errorf("%s: %v, %v", name, changes, err)
		}
	}
}

func TestMakeWay(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	newer := func(m *Master) { m.Version.Patch++ }
	for name, tt := range map[string]struct {
		change []func(*Master)
		want   string // what goes, in the order in which it goes
	}{
		"nothing":               {},
		"the scheduler alone":   {[]func(*Master){otherScheduler}, "kube-scheduler"},
		"etcd, so who needs it": {[]func(*Master){otherEtcd}, "kube-apiserver, etcd"},
		"the apiserver alone":   {[]func(*Master){otherAPIServer}, "kube-apiserver"},
		"another version":       {[]func(*Master){newer}, "kube-scheduler, kube-controller-manager, kube-apiserver"},
		"all":                   {[]func(*Master){newer, otherEtcd}, "kube-scheduler, kube-controller-manager, kube-apiserver, etcd"},
		"skipped":               {[]func(*Master){otherScheduler, skipping("control-plane/scheduler")}, ""},
		"skipped as a group":    {[]func(*Master){otherScheduler, otherEtcd, skipping("control-plane")}, ""},
		"etcd skipped":          {[]func(*Master){otherEtcd, skipping("control-plane/etcd")}, ""},
		"who needs it skipped":  {[]func(*Master){otherEtcd, skipping("control-plane/apiserver")}, "etcd"},
		"no apiserver here": {[]func(*Master){otherEtcd, func(m *Master) {
			delete(m.Manifests, "kube-apiserver.yaml")
			delete(m.Files, manifestPath(*m, "kube-apiserver"))
		}}, "etcd"},
	} {
		changes, err := makeWay(s.living(t, tt.change...))
		got := ""
		for _, c := range changes {
			got += c.What
		}
		if err != nil || got != tt.want {
			t.Errorf("%s: %q goes, %v, want %q", name, got, err, tt.want)
		}
	}
}

// What goes is staged before, taken away, and has its way back; the rest runs on.
func TestMakeWayClears(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	m := s.living(t, otherEtcd, solitary(t))
	before := m.Files
	changes, err := makeWay(m)
	if err != nil || len(changes) != 1 {
		t.Fatal(changes, err)
	}
	site, told := s.site, []string{}
	site.back, site.tell = &retreats{}, func(reason string) { told = append(told, reason) }
	if err := changes[0].Do(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	expect(t, []string{"what needs the apiserver leaves it", "etcd ends"}, told)
	left, err := filepath.Glob(filepath.Join(s.c.Paths.Manifests, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range left {
		left[i] = filepath.Base(path)
	}
	expect(t, []string{"kube-controller-manager.yaml", "kube-scheduler.yaml"}, left)
	var back []string
	for _, way := range site.back.whole(func(retreat) bool { return false }) {
		back = append(back, way.proof.Component+" by "+way.phase)
		last := way.old[len(way.old)-1]
		if want := before[manifestPath(m, way.proof.Component)]; string(last.Data) != string(want.Data) {
			t.Errorf("%s goes back to %s", way.proof.Component, last.Data)
		}
	}
	expect(t, []string{"etcd by control-plane/etcd", "kube-apiserver by control-plane/apiserver"}, back)
}

// What a killed run has taken away goes back to what was proved last.
func TestEarlierFilesOfWhatIsAway(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	m := s.living(t)
	if err := m.judgeGeneration(t.Context(), s.site, Healthy, ""); err != nil {
		t.Fatal(err)
	}
	path := manifestPath(m, "etcd")
	want := string(m.Files[path].Data)
	if err := s.site.Host.Remove(path); err != nil {
		t.Fatal(err)
	}
	m = s.living(t)
	if got := string(m.earlierManifest("etcd")); got != want {
		t.Errorf("earlier manifest: %s", got)
	}
	files := m.earlierFiles("etcd")
	if len(files) != 7 || files[6].Path != path || string(files[6].Data) != want {
		t.Errorf("earlier files: %v", files)
	}
}

// What a killed run has taken away, and what needs that, is not told as ill: it comes back.
func TestWellBeforeAfterAKill(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	if err := s.living(t).judgeGeneration(t.Context(), s.site, Healthy, ""); err != nil {
		t.Fatal(err)
	}
	ill := func(m *Master) {
		for _, component := range []string{"kube-apiserver", "kube-scheduler"} {
			m.Living.Unwell[component] = errors.New("connection refused")
		}
	}
	if found := wellBefore(s.living(t, ill)); len(found) != 2 {
		t.Errorf("without a killed run: %v", found)
	}
	killed := s.living(t, ill, func(m *Master) {
		m.Generations = append(m.Generations, Generation{Number: 9, Verdict: UnderWay})
		delete(m.Manifests, "kube-apiserver.yaml")
		delete(m.Files, manifestPath(*m, "kube-apiserver"))
	})
	if found := wellBefore(killed); len(found) > 0 {
		t.Errorf("after one: %v", found)
	}
	killed.Living.Unwell["etcd"] = errors.New("connection refused")
	if found := wellBefore(killed); len(found) != 1 || !strings.Contains(found[0].problem, "etcd") {
		t.Errorf("what it has not touched: %v", found)
	}
}
