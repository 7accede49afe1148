package phases

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/internal/host"
)

// begun is a generation that a killed run has left.
func begun(verb, version string) func(*Master) {
	return func(m *Master) {
		m.Generations = append(m.Generations, Generation{Number: m.newest().Number + 1, Verb: verb, Verdict: UnderWay, Version: version})
	}
}

// known is what runs now, remembered with that verdict.
func known(verdict Verdict) func(*Master) {
	return func(m *Master) {
		m.Generations = append(m.Generations, Generation{Number: m.newest().Number + 1, Verb: "init", Verdict: verdict, Version: "v1.36.3", Components: m.filesAlone()})
	}
}

func TestKeepEarlier(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	unwell := func(m *Master) { m.Living.Unwell["kube-apiserver"] = errors.New("no answer") }
	for name, tt := range map[string]struct {
		change []func(*Master)
		want   []string
	}{
		"nothing changes": {[]func(*Master){known(Healthy)}, nil},
		"nothing known": {[]func(*Master){otherScheduler},
			[]string{"1 found healthy: v1.36.3, 4 components", "2 upgrade apply begun: v1.36.3, 0 components"}},
		"known as it is": {[]func(*Master){otherScheduler, known(Healthy)}, []string{"2 upgrade apply begun: v1.36.3, 0 components"}},
		"another hand's": {[]func(*Master){otherScheduler, known(Healthy), func(m *Master) { m.Generations[0].Components["etcd"] = Revision{Revision: "other"} }},
			[]string{"2 found healthy: v1.36.3, 4 components", "3 upgrade apply begun: v1.36.3, 0 components"}},
		"not healthy": {[]func(*Master){otherScheduler, unwell},
			[]string{"1 found found unhealthy: v1.36.3, 4 components kube-apiserver: no answer", "2 upgrade apply begun: v1.36.3, 0 components"}},
		"a killed run of the same kind goes on":     {[]func(*Master){otherScheduler, begun("upgrade apply", "v1.36.3")}, nil},
		"what one of another kind has left is none": {[]func(*Master){otherScheduler, begun("apply", "v1.36.3")}, []string{"2 upgrade apply begun: v1.36.3, 0 components"}},
		"and so is what another version's has left": {[]func(*Master){otherScheduler, begun("upgrade apply", "v1.36.2")}, []string{"2 upgrade apply begun: v1.36.3, 0 components"}},
	} {
		changes, err := keepEarlier(s.living(t, tt.change...))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range changes {
			got = append(got, remembered(t, c.Files[0]))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// remembered is the generation of a file in a line.
func remembered(t *testing.T, f host.File) string {
	t.Helper()
	dir := t.TempDir()
	g := readGeneration(t, dir, f)
	line := fmt.Sprintf("%d %s %s: %s, %d components", g.Number, g.Verb, g.Verdict, g.Version, len(g.Components))
	if g.Cause != "" {
		line += " " + g.Cause
	}
	if f.Mode != 0o600 {
		t.Errorf("%s has mode %v", line, f.Mode)
	}
	return line
}

func readGeneration(t *testing.T, dir string, f host.File) Generation {
	t.Helper()
	c := newStage(t, "").c
	c.Paths.State = dir
	if err := os.MkdirAll(generationsDir(c), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(generationsDir(c), filepath.Base(f.Path)), f.Data, 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := ReadGenerations(host.Open("/"), c)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	return all[0]
}

// A generation has all that its components need, but nothing by which others could be issued.
func TestGenerationHoldsNoAuthority(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	m := s.living(t)
	if err := m.judgeGeneration(t.Context(), s.site, Healthy, ""); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(generationsDir(s.c), "1.json")
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, kept := range map[string]bool{
		"ca.key": false, "etcd/ca.key": false, "front-proxy-ca.key": false, "sa.key": false,
		"apiserver.key": true, "etcd/server.key": true, "etcd/peer.crt": true, "kube-scheduler.key": true, "apiserver-etcd-client.key": true,
	} {
		secret, err := os.ReadFile(filepath.Join(s.c.Paths.PKI, name))
		if err != nil {
			t.Fatal(err)
		}
		if in := bytes.Contains(data, []byte(base64.StdEncoding.EncodeToString(secret))); in != kept {
			t.Errorf("%s is kept: %v", name, in)
		}
	}
	m = s.living(t)
	for component, r := range m.newest().Components {
		if last := r.Files[len(r.Files)-1]; last.Path != manifestPath(m, component) || r.Revision != m.Running[component].Revision {
			t.Errorf("%s: revision %s, last %s", component, r.Revision, last.Path)
		}
	}
	if m.newest().Cluster == "" || !m.newest().same(Generation{Components: m.filesAlone()}) {
		t.Errorf("kept is %v", m.newest())
	}
}

func TestJudgeGeneration(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	judge := func(verdict Verdict, cause string) {
		t.Helper()
		site := s.site
		site.verb = "apply"
		if err := s.living(t).judgeGeneration(t.Context(), site, verdict, cause); err != nil {
			t.Fatal(err)
		}
	}
	judge(Healthy, "")
	changes, err := keepEarlier(s.living(t, otherScheduler))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if err := c.Do(t.Context(), s.site); err != nil {
			t.Fatal(err)
		}
	}
	if g, whole := s.living(t).settled(); !whole || g.Number != 1 || s.living(t).newest().Number != 2 {
		t.Errorf("under way is 2, settled is %v", g)
	}
	judge(Refused, "etcd is not healthy")
	judge(Healthy, "")
	var got []string
	for _, g := range s.living(t).Generations {
		got = append(got, fmt.Sprintf("%d %s %s %d%s", g.Number, g.Verb, g.Verdict, len(g.Components), g.Cause))
		if g.Ended.IsZero() {
			t.Errorf("%v has not ended", g)
		}
	}
	expect(t, []string{"1 apply healthy 4", "2 upgrade apply failed 0etcd is not healthy", "3 apply healthy 4"}, got)
}

// What is healthy and known is not remembered again.
func TestKeepHealthy(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	for name, tt := range map[string]struct {
		change []func(*Master)
		want   int
	}{
		"nothing known":   {nil, 1},
		"known":           {[]func(*Master){known(Healthy)}, 0},
		"known to change": {[]func(*Master){known(Healthy), otherEtcd}, 1},
		"was not well":    {[]func(*Master){known(Unwell)}, 1},
		"under way":       {[]func(*Master){known(Healthy), begun("apply", "v1.36.3")}, 1},
	} {
		changes, err := keepHealthy(s.living(t, tt.change...))
		if err != nil || len(changes) != tt.want {
			t.Errorf("%s: %v, %v", name, changes, err)
		}
	}
}

// Old generations are remembered without their files.
func TestGenerationsArePruned(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	verdicts := []Verdict{Healthy, Refused}
	for i := range 12 {
		if err := s.living(t).judgeGeneration(t.Context(), s.site, verdicts[i%2], ""); err != nil {
			t.Fatal(err)
		}
	}
	var whole []int
	all := s.living(t).Generations
	for i, g := range all {
		if g.Number != i+1 {
			t.Errorf("%d is %v", i+1, g)
		}
		if len(g.Components) > 0 {
			whole = append(whole, g.Number)
		} else if g.Cluster+g.Kubelet != "" {
			t.Errorf("%v has a configuration, but no files", g)
		}
	}
	if diff := cmp.Diff([]int{3, 5, 7, 9, 11}, whole); diff != "" || len(all) != 12 {
		t.Errorf("of %d: %s", len(all), diff)
	}
}

func TestReadGenerations(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	dir := generationsDir(s.c)
	if all, err := ReadGenerations(s.site.Host, s.c); err != nil || all != nil {
		t.Errorf("of none: %v, %v", all, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"9.json": `{"number": 9}`, "10.json": `{"number": 10}`, ".11.json.tripod": "{", "note": "mine"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := ReadGenerations(s.site.Host, s.c)
	if err != nil || len(all) != 2 || all[1].Number != 10 {
		t.Errorf("got %v, %v", all, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "11.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = ReadGenerations(s.site.Host, s.c)
	mentions(t, err, "11.json: unexpected end of JSON input\nhint: it is a copy of what once ran here; remove it")
}
