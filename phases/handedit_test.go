package phases

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// edit replaces text in manifests on disk, as an operator does with an editor.
func (s stage) edit(t *testing.T, old, new string, components ...string) {
	t.Helper()
	for _, component := range components {
		path := s.site.Host.Path(s.c.Paths.Manifests + "/" + component + ".yaml")
		data, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(data), old) {
			t.Fatalf("%s has no %q, %v", path, old, err)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(data), old, new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// settle remembers what runs as healthy.
func (s stage) settle(t *testing.T) {
	t.Helper()
	if err := s.living(t).judgeGeneration(t.Context(), s.site, Healthy, ""); err != nil {
		t.Fatal(err)
	}
}

// withFlag adds a flag to all four manifests.
func (s stage) withFlag(t *testing.T, flag string) {
	t.Helper()
	for _, component := range manifests.Components() {
		s.edit(t, "    - "+component+"\n", "    - "+component+"\n    - "+flag+"\n", component)
	}
}

// leafsAlone is a change of leafs that draws all of them anew.
func (s stage) leafsAlone(t *testing.T) func(*Master) {
	return func(m *Master) {
		m.Living.Kept, m.Living.Verb = true, "certs renew all"
		disk, err := diskPKI(s.site.Host, m.Config, m.Files)
		if err != nil {
			t.Fatal(err)
		}
		if m.PKI, err = gatherPKI(m.Config, m.renewing(disk, Renewing("all")), m.Now); err != nil {
			t.Fatal(err)
		}
	}
}

// wantFlag wants all four manifests on disk to have the flag.
func (s stage) wantFlag(t *testing.T, flag string) {
	t.Helper()
	for component, manifest := range s.manifests(t) {
		if !strings.Contains(manifest, flag) {
			t.Errorf("%s has lost %s", component, flag)
		}
	}
}

// A flag that somebody has added by hand outlives the renewal of certificates, in what is taken away first and planned once more,
// too, and comes back with what ran before.
func TestRenewKeepsHandEdits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := grown(t, "")
		s.settle(t)
		s.withFlag(t, "--v=3")
		before := s.manifests(t)
		m := s.living(t, solitary(t), s.leafsAlone(t))
		steps := upgrade(t, m, nil)
		if kept := changesOf(steps)[0]; !strings.Contains(kept.Diff, "+    - --v=3") || strings.Count(kept.Diff, "--v=3") != 4 {
			t.Errorf("%s shows\n%s", kept, kept.Diff)
		}
		if _, err := s.run(t.Context(), t, m, steps); err != nil {
			t.Fatal(err)
		}
		s.wantFlag(t, "--v=3")
		if got := s.replaced(t, before); got != strings.Join(manifests.Components(), " ") {
			t.Errorf("new are %q", got)
		}
		s.settle(t)
		m = s.living(t)
		if err := m.choose(-1); err != nil {
			t.Fatal(err)
		}
		for component, r := range m.Living.Back.Components {
			if string(r.manifest()) != before[component] {
				t.Errorf("%s goes back to\n%s", component, r.manifest())
			}
		}
	})
}

// Who is killed, edited, goes on and is killed once more has lost nothing.
func TestHandEditHalfway(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	s.settle(t)
	kept := func(m *Master) { m.Living.Kept = true }
	killed := begun("upgrade apply", "v1.36.3")
	away := func(m *Master) {
		delete(m.Manifests, "etcd.yaml")
		delete(m.Files, manifestPath(*m, "etcd"))
	}
	s.edit(t, "    - kube-scheduler\n", "    - kube-scheduler\n    - --v=3\n", "kube-scheduler")
	m := s.living(t, kept, killed, away, s.leafsAlone(t), func(m *Master) { m.Living.Verb = "upgrade apply" })
	changes, err := keepEarlier(m)
	if err != nil || len(changes) != 2 {
		t.Fatal(changes, err)
	}
	g := readGeneration(t, t.TempDir(), changes[0].Files[0])
	if len(g.Components) != 4 || !strings.Contains(string(g.Components["kube-scheduler"].manifest()), "--v=3") {
		t.Errorf("kept is %v", g)
	}
	m.Living.Kept = false // what an upgrade has written is no edit
	if changes, err := keepEarlier(m); err != nil || len(changes) != 0 {
		t.Errorf("kept are %v, %v", changes, err)
	}
}

// An edit by hand is told, with what becomes of it; what the configuration has changed is none.
func TestHandEdits(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	s.settle(t)
	s.edit(t, "    - kube-scheduler\n", "    - kube-scheduler\n    - --v=3\n", "kube-scheduler")
	s.edit(t, "    - --leader-elect=true\n", "", "kube-controller-manager")
	s.edit(t, "    resources:\n", "    resources:\n      limits: {memory: 1Gi}\n", "kube-apiserver")
	s.edit(t, "      failureThreshold: 24\n", "      failureThreshold: 60\n", "etcd")
	kept := func(m *Master) { m.Living.Kept = true }
	unknown := func(m *Master) { m.Generations = nil }
	newer := func(m *Master) {
		c, err := m.WithVersion("v1.36.4")
		if err != nil {
			t.Fatal(err)
		}
		m.Config = c
	}
	back := func(m *Master) { m.Living.Back = &m.Generations[0] }
	all := []string{"kube-apiserver.yaml is not what it was made, which goes: spec.containers[kube-apiserver].resources.limits.memory: \"1Gi\"\n" +
		"hint: to keep it say it in the configuration (apiServer.extraArgs), or in a patch",
		"kube-controller-manager.yaml is not what it was made, and gets back: --leader-elect=true",
		"kube-scheduler.yaml is not what it was made, which goes: --v=3\nhint: to keep it say it in the configuration (scheduler.extraArgs), or in a patch"}
	for name, tt := range map[string]struct {
		change []func(*Master)
		want   []string
	}{
		"apply":                   {nil, all},
		"apply of other flags":    {[]func(*Master){otherAPIServer}, all},
		"upgrade":                 {[]func(*Master){newer}, all},
		"nothing is known":        {[]func(*Master){unknown}, all},
		"renewal, nothing known":  {[]func(*Master){kept, unknown}, nil},
		"a component is left out": {[]func(*Master){skipping("control-plane/scheduler", "control-plane/apiserver")}, all[1:2]},
		"renewal": {[]func(*Master){kept}, []string{
			"kube-apiserver.yaml is not what it was made, and stays so: spec.containers[kube-apiserver].resources.limits.memory: \"1Gi\"",
			"kube-scheduler.yaml is not what it was made, and stays so: --v=3"}},
		"rollback": {[]func(*Master){back}, []string{
			"kube-apiserver.yaml is not what it was made, which goes: spec.containers[kube-apiserver].resources.limits.memory: \"1Gi\"\nhint: tripod rollback brings it back",
			"kube-scheduler.yaml is not what it was made, which goes: --v=3\nhint: tripod rollback brings it back"}},
	} {
		var got []string
		for _, f := range handEdits(s.living(t, tt.change...)) {
			if !f.harmless {
				t.Errorf("%s: %v stops it", name, f)
			}
			got = append(got, strings.TrimPrefix(f.Error(), "[HandEdited] "+s.c.Paths.Manifests+"/"))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A manifest that is edited while a run waits for its turn is not taken away.
func TestEditedWhileWaiting(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	m := s.living(t, otherScheduler)
	s.edit(t, "    - kube-scheduler\n", "    - kube-scheduler\n    - --v=3\n", "kube-scheduler")
	changes, err := makeWay(m)
	if err != nil || len(changes) != 1 {
		t.Fatal(changes, err)
	}
	site := s.site
	site.back, site.tell = &retreats{}, func(string) {}
	mentions(t, changes[0].Do(t.Context(), site), "kube-scheduler.yaml has been changed by somebody else since this run began")
	s.edit(t, "--v=3", "--v=3", "kube-scheduler") // is still there
}

// What runs is known again by what it has run, not by what its annotation says.
func TestSameGeneration(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	known := Generation{Components: s.living(t).filesAlone()}
	other := func(old, new string) Generation {
		m := s.living(t, func(m *Master) {
			path := manifestPath(*m, "etcd")
			data := string(m.Files[path].Data)
			if !strings.Contains(data, old) {
				t.Fatalf("no %q in %s", old, data)
			}
			m.Files[path] = host.File{Path: path, Mode: 0o600, Data: []byte(strings.Replace(data, old, new, 1))}
		})
		return Generation{Components: m.filesAlone()}
	}
	for name, tt := range map[string]struct {
		old, new string
		same     bool
	}{
		"itself":           {"", "", true},
		"another patience": {"failureThreshold: 24", "failureThreshold: 60", true},
		"a comment":        {"apiVersion", "# by me\napiVersion", true},
		"a flag":           {"    - etcd\n", "    - etcd\n    - --v=3\n", false},
	} {
		if g := other(tt.old, tt.new); g.same(known) != tt.same || known.same(g) != tt.same {
			t.Errorf("%s: same is not %v", name, tt.same)
		}
	}
	renewed := s.living(t, s.leafsAlone(t))
	cert, _ := pairPaths(s.c, "etcd/peer")
	f := renewed.Files[cert]
	f.Data = renewed.PKI.Pairs["etcd/peer"].CertPEM()
	renewed.Files[cert] = f
	if known.same(Generation{Components: renewed.filesAlone()}) {
		t.Error("another certificate is the same")
	}
}
