package phases

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/host"
)

// Addons are of the version that all masters have, and their configuration is their operator's.
func TestChangedAddon(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	facts := s.gather(t)
	var there []*unstructured.Unstructured
	for _, name := range []string{"coredns", "kube-proxy"} {
		o := cluster.ConfigMap("kube-system", name)
		o.Object["data"] = map[string]any{"Corefile": "the operator's"}
		there = append(there, o)
	}
	even, behind := fleet(t, map[string]string{"node-1": "v1.35.4", "m2": "v1.36.3"}), fleet(t, map[string]string{"m2": "v1.35.4"})
	for name, tt := range map[string]struct {
		change          func(*Master)
		some, configMap bool // objects are wanted, a ConfigMap among them
	}{
		"all masters have it":      {func(*Master) {}, true, false},
		"one is behind":            {func(m *Master) { m.Living.Fleet = behind }, false, false},
		"nobody could be asked":    {func(m *Master) { m.Living.Fleet.Unknown = errors.New("connection refused") }, false, false},
		"left out, or removed":     {func(m *Master) { m.Objects = apiWith() }, false, false},
		"asked what is to be read": {func(m *Master) { m.Objects = Objects{} }, true, true},
		"going back":               {func(m *Master) { m.Living.Back = &Generation{} }, false, false},
		"leafs alone change":       {func(m *Master) { m.Living.Kept = true }, false, false},
		"in a sandbox":             {func(m *Master) { m.Rootless = true }, false, false},
		"disabled":                 {func(m *Master) { m.Cluster.DNS.Disabled, m.Cluster.Proxy.Disabled = true, true }, false, false},
	} {
		m := facts
		m.Rootless, m.Objects, m.Living = false, apiWith(there...), &Living{Was: s.c, Fleet: even}
		tt.change(&m)
		for addon, objects := range map[string]func(Master) ([]*unstructured.Unstructured, error){"coredns": coreDNSObjects, "kube-proxy": kubeProxyObjects} {
			wanted, err := changedAddon(addon, objects)(m)
			isMap := func(o *unstructured.Unstructured) bool { return o.GetKind() == "ConfigMap" }
			if err != nil || len(wanted) > 0 != tt.some || slices.ContainsFunc(wanted, isMap) != tt.configMap {
				t.Errorf("%s: %s wants %v, %v", name, addon, wanted, err)
			}
		}
	}
}

// The configuration in the cluster is the affair of one master, tokens of none.
func TestChangedShared(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	m := s.gather(t)
	for name, want := range map[string]func(Master) ([]*unstructured.Unstructured, error){
		"ClusterConfiguration": changedCluster, "KubeletConfiguration": changedKubelets, "access": changedAccess,
	} {
		for _, leads := range []bool{true, false} {
			m.Living = &Living{Was: s.c, Leads: leads}
			objects, err := want(m)
			if err != nil || len(objects) > 0 != leads {
				t.Errorf("%s, leads %v: %v, %v", name, leads, objects, err)
			}
			for _, o := range objects {
				if o.GetKind() == "Secret" {
					t.Errorf("%s wants %s", name, objectKey(o))
				}
			}
		}
	}
}

func TestChangedKubeconfigs(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	damaged := func(names ...string) func(*Master) {
		return func(m *Master) {
			for _, name := range names {
				f := m.Files[confPath(s.c, name)]
				f.Data = []byte("other")
				m.Files[f.Path] = f
			}
		}
	}
	away := func(m *Master) { delete(m.Files, confPath(s.c, superAdminConf)) }
	for name, tt := range map[string]struct {
		change []func(*Master)
		want   string
	}{
		"as they are to be": {nil, ""},
		"both are not":      {[]func(*Master){damaged(adminConf, superAdminConf)}, adminConf + " " + superAdminConf},
		"one was put away":  {[]func(*Master){damaged(adminConf), away}, adminConf},
	} {
		changes, err := changedKubeconfigs(s.living(t, tt.change...))
		var got []string
		for _, c := range changes {
			got = append(got, strings.TrimPrefix(c.What, s.c.Paths.Kubernetes+"/"))
		}
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestSameDocument(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		a, b string
		want bool
	}{
		"the same":         {"a: 1", "a: 1", true},
		"in other words":   {"a: {b: 1, c: [x]}\nd: \"z\"", "d: z\na:\n  c:\n  - x\n  b: 1\n", true},
		"another value":    {"a: 1", "a: 2", false},
		"of another kind":  {"a: 1", `a: "1"`, false},
		"more":             {"a: 1", "a: 1\nb: 2", false},
		"in another order": {"a: [1, 2]", "a: [2, 1]", false},
		"no document":      {"a: 1", "- a", false},
		"none at all":      {"a: 1", "", false},
	} {
		a, b := host.File{Data: []byte(tt.a)}, host.File{Data: []byte(tt.b)}
		if got := sameDocument(a, b); got != tt.want || got != sameDocument(b, a) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
