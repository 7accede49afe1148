package phases

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shown is a plan as data, without its functions.
func shown(steps []Step) []string {
	var lines []string
	for _, s := range steps {
		lines = append(lines, s.Phase)
		for _, c := range s.Changes {
			lines = append(lines, c.String(), c.Diff)
			for _, f := range c.Files {
				lines = append(lines, f.Path, f.Mode.String(), string(f.Data), f.Link)
			}
		}
	}
	return lines
}

func TestPlanIsPure(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	m, steps := s.plan(t)
	files := maps.Clone(m.Files)
	again, _, err := Plan(Init(), m)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(shown(steps), shown(again)); diff != "" {
		t.Errorf("the same facts, two plans:\n%s", diff)
	}
	if diff := cmp.Diff(files, m.Files); diff != "" {
		t.Errorf("the facts have changed:\n%s", diff)
	}
	if entries, _ := os.ReadDir(s.c.Paths.Kubernetes); len(entries) > 0 {
		t.Errorf("planning has written %v", entries)
	}
}

func TestPlanOfAnEmptyMachine(t *testing.T) {
	t.Parallel()
	_, steps := newStage(t, "").plan(t)
	var got []string
	for _, s := range steps {
		got = append(got, s.Phase)
	}
	want := []string{"preflight", "certs", "kubeconfig", "kubelet-start", "etcd/local", "etcd", "control-plane/controller-manager",
		"control-plane/apiserver", "upload-config", "upload-certs", "bootstrap-token", "addon", "control-plane/scheduler",
		"mark-control-plane", "kubelet-finalize", "wait-control-plane", "upload-config", "remember", "show-join-command"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A run that is killed after any of its changes is gone on with: what is done is not planned again.
func TestPlanGoesOn(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	_, steps := s.plan(t)
	all := changesOf(steps)
	for i, c := range all {
		if c.online {
			continue // there is no apiserver
		}
		if err := c.Do(t.Context(), s.site); err != nil {
			t.Fatal(err)
		}
		_, rest := s.plan(t)
		if diff := cmp.Diff(undated(offline(all[i+1:])), undated(offline(changesOf(rest)))); diff != "" {
			t.Fatalf("after %s (-rest of the first plan +second plan)\n%s", c, diff)
		}
	}
}

// offline are the changes that need no apiserver.
func offline(changes []Change) []Change {
	return slices.DeleteFunc(slices.Clone(changes), func(c Change) bool { return c.online })
}

// undated are changes in words, the time in the kubelet's file left out.
func undated(changes []Change) []string {
	date := regexp.MustCompile(`\d{4}(-\d\d){5}`)
	lines := []string{}
	for _, c := range changes {
		lines = append(lines, date.ReplaceAllString(c.String(), "DATE"))
	}
	return lines
}

// What lies there already is left alone, byte for byte.
func TestSecondRunWritesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	m, steps := s.plan(t)
	applyAll(t, s, m, steps)
	before := tree(t, s.c.Paths.Kubernetes)
	m, steps = s.plan(t)
	for _, c := range changesOf(steps) {
		if !c.online {
			t.Errorf("planned again: %v", c)
		}
	}
	applyAll(t, s, m, steps)
	if diff := cmp.Diff(before, tree(t, s.c.Paths.Kubernetes)); diff != "" {
		t.Error(diff)
	}
}

// applyAll applies a plan whose proofs are given at once. What needs an apiserver is left out.
func applyAll(t *testing.T, s stage, m Master, steps []Step) []Event {
	t.Helper()
	for i := range steps {
		steps[i].Changes = slices.DeleteFunc(steps[i].Changes, func(c Change) bool { return c.online })
		if steps[i].Proof.Attempt != nil {
			steps[i].Proof.Attempt = healthyAfter(0)
		}
	}
	told, err := s.run(t.Context(), t, m, steps)
	if err != nil {
		t.Fatal(err)
	}
	return told
}

// tree is what lies below a directory: mode and content by path.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		found[path] = info.Mode().String() + " " + info.ModTime().String() + " " + string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestPlanRefusesWhatIsNotWhole(t *testing.T) {
	t.Parallel()
	without := func(names ...string) []Phase { list, _ := Without(Init(), names); return list }
	m := newStage(t, "").gather(t)
	needed := regexp.MustCompile("(?:needs|,) " + m.Paths.Kubernetes + `/([^\s,:]+)`)
	for name, tt := range map[string]struct {
		list []Phase
		want []string // every path that is missed, once
	}{
		"all":                       {list: Init()},
		"authorities alone":         {list: Only(Init(), "certs/ca")},
		"all certificates":          {list: Only(Init(), "certs")},
		"a leaf alone":              {list: Only(Init(), "certs/apiserver"), want: []string{"pki/ca.crt"}},
		"a kubeconfig alone":        {list: Only(Init(), "kubeconfig/admin"), want: []string{"pki/ca.crt"}},
		"several without an issuer": {list: without("certs/etcd-ca"), want: []string{"pki/etcd/ca.crt"}},
		"a manifest alone": {list: Only(Init(), "control-plane/scheduler"),
			want: []string{"pki/kube-scheduler.crt", "pki/kube-scheduler.key", "scheduler.conf"}},
		"without a kubeconfig": {list: without("kubeconfig/scheduler"), want: []string{"scheduler.conf"}},
		"without a component":  {list: without("control-plane/scheduler", "kubeconfig/scheduler", "certs/scheduler")},
		"leaf before its issuer": {list: append(Only(Init(), "certs/apiserver"), Only(Init(), "certs/ca")...),
			want: []string{"pki/ca.crt"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := Plan(tt.list, m)
			var missed []string
			if err != nil {
				for _, f := range needed.FindAllStringSubmatch(err.Error(), -1) {
					missed = append(missed, f[1])
				}
			}
			slices.Sort(missed)
			if diff := cmp.Diff(tt.want, missed); diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

// A file of the user's that a flag names is there, although no plan would write it.
func TestPlanTakesFilesOfTheUser(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), []byte("rules: []"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newStage(t, clusterDocument+`apiServer:
  extraArgs:
  - {name: audit-policy-file, value: /etc/audit/policy.yaml}
  extraVolumes:
  - {name: audit, hostPath: `+dir+`, mountPath: /etc/audit, readOnly: true}
`)
	m, _ := s.plan(t)
	if got := string(m.Inputs["/etc/audit/policy.yaml"]); got != "rules: []" {
		t.Errorf("read %q", got)
	}
}

func TestWithoutAndOnly(t *testing.T) {
	t.Parallel()
	list := []Phase{{Name: "certs/ca"}, {Name: "certs/sa"}, {Name: "preflight"}, {Name: "certsx"}}
	for _, tt := range []struct {
		skip                []string
		rest, only, unknown string
	}{
		{nil, "certs/ca certs/sa preflight certsx", "", ""},
		{[]string{"certs"}, "preflight certsx", "certs/ca certs/sa", ""},
		{[]string{"certs/sa"}, "certs/ca preflight certsx", "certs/sa", ""},
		{[]string{"preflight"}, "certs/ca certs/sa certsx", "preflight", ""},
		{[]string{"sa"}, "certs/ca certs/sa preflight certsx", "", "sa"},
		{[]string{"certs", "nope", "certs/nope"}, "preflight certsx", "", "nope certs/nope"},
	} {
		rest, unknown := Without(list, tt.skip)
		if names(rest) != tt.rest || strings.Join(unknown, " ") != tt.unknown {
			t.Errorf("without %v: %s, unknown %v", tt.skip, names(rest), unknown)
		}
		if len(tt.skip) == 1 && names(Only(list, tt.skip[0])) != tt.only {
			t.Errorf("only %v: %s", tt.skip, names(Only(list, tt.skip[0])))
		}
	}
}

func names(list []Phase) string {
	var all []string
	for _, p := range list {
		all = append(all, p.Name)
	}
	return strings.Join(all, " ")
}

func TestMerge(t *testing.T) {
	t.Parallel()
	proved := Proof{Attempt: proveAll}
	a, b, c := Change{What: "a"}, Change{What: "b"}, Change{What: "c"}
	var steps []Step
	for _, s := range []Step{
		{Phase: "certs/ca", Changes: []Change{a}}, {Phase: "certs/sa", Changes: []Change{b}},
		{Phase: "etcd/local", Changes: []Change{a}, Proof: proved}, {Phase: "etcd/more", Proof: proved},
		{Phase: "certs/late", Changes: []Change{c}}, {Phase: "preflight"},
	} {
		group, _, _ := strings.Cut(s.Phase, "/")
		steps = merge(steps, s, group)
	}
	var got []string
	for _, s := range steps {
		line := s.Phase
		for _, c := range s.Changes {
			line += " " + c.What
		}
		got = append(got, line)
	}
	if diff := cmp.Diff([]string{"certs a b", "etcd/local a", "etcd/more", "certs c", "preflight"}, got); diff != "" {
		t.Error(diff)
	}
}

// Where no kubelet runs and none is started, files are written and nothing is proved.
func TestPlanWithoutARunner(t *testing.T) {
	t.Parallel()
	m := newStage(t, "").gather(t)
	for name, tt := range map[string]struct {
		list  []Phase
		alive bool
		want  bool
	}{
		"nobody":       {append(Only(Init(), "certs"), Only(Init(), "etcd")...), false, true},
		"runs already": {append(Only(Init(), "certs"), Only(Init(), "etcd")...), true, false},
		"is started":   {Init(), false, false},
	} {
		m.Alive = tt.alive
		steps, _, err := Plan(tt.list, m)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps {
			if s.Proof.Attempt != nil && s.Unproved != tt.want {
				t.Errorf("%s: %s unproved: %v", name, s.Phase, s.Unproved)
			}
		}
	}
}
