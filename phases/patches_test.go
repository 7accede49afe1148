package phases

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/config"
)

const etcdPatch = "metadata: {labels: {a: b}}\n"

// A master's own patches come before those that all masters have.
func TestReadKeptPatches(t *testing.T) {
	t.Parallel()
	m := provable(t)
	const own, shared = sharedPatchesName + "-m1", sharedPatchesName
	for name, tt := range map[string]struct {
		kept map[string]string
		want map[string]string
		err  string
	}{
		"none":   {},
		"own":    {kept: map[string]string{own: "etcd.yaml: x"}, want: map[string]string{"etcd.yaml": "x"}},
		"all's":  {kept: map[string]string{shared: "etcd.yaml: z"}, want: map[string]string{"etcd.yaml": "z"}},
		"both":   {kept: map[string]string{own: "etcd.yaml: x", shared: "kube-scheduler.yaml: y"}, want: map[string]string{"etcd.yaml": "x"}},
		"others": {kept: map[string]string{shared + "-m2": "etcd.yaml: x"}},
		"broken": {kept: map[string]string{own: "[]"}, err: "reading ConfigMap kube-system/tripod-patches-m1: "},
		"denied": {kept: map[string]string{own: "denied"}, err: "tripod-patches-m1"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked := path.Base(r.URL.Path)
			answer, code := any(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}), 404
			if text, kept := tt.kept[asked]; text == "denied" {
				answer, code = map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403}, 403
			} else if kept {
				answer, code = map[string]any{"kind": "ConfigMap", "apiVersion": "v1", "metadata": map[string]any{"name": asked}, "data": map[string]any{"patches": text}}, 200
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(answer)
		}))
		client, err := cluster.FromKubeconfig(m.PKI.Kubeconfigs[adminConf], server.URL)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readKeptPatches(t.Context(), client, "m1")
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		mentions(t, err, tt.err)
		client.Close()
		server.Close()
	}
}

func TestReadPatches(t *testing.T) {
	t.Parallel()
	dir, bad := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(dir, "kube-apiserver1+merge.yaml"): etcdPatch, filepath.Join(dir, "etcd.yaml"): etcdPatch, filepath.Join(dir, ".etcd.yaml.swp"): "x",
		filepath.Join(bad, "etcd.yaml"): "[", filepath.Join(bad, "nobody.yaml"): etcdPatch,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	kept := map[string]string{"kube-scheduler.yaml": etcdPatch}
	for name, tt := range map[string]struct {
		given *config.Patches
		kept  map[string]string
		want  []string // in the order in which they are applied
		err   string
	}{
		"none":                           {},
		"kept":                           {kept: kept, want: []string{"kube-scheduler.yaml"}},
		"given":                          {given: &config.Patches{Directory: dir}, want: []string{"etcd.yaml", "kube-apiserver1+merge.yaml"}},
		"given ones come in their place": {given: &config.Patches{Directory: dir}, kept: kept, want: []string{"etcd.yaml", "kube-apiserver1+merge.yaml"}},
		"no directory named":             {given: &config.Patches{}, kept: kept, want: []string{"kube-scheduler.yaml"}},
		"not there":                      {given: &config.Patches{Directory: dir + "/none"}, err: "reading patches: open"},
		"no patches":                     {given: &config.Patches{Directory: bad}, err: "nobody.yaml"},
		"no patches kept":                {kept: map[string]string{"nobody.yaml": etcdPatch}, err: "the cluster's patches: "},
	} {
		c := config.Config{}
		c.Node.Patches = tt.given
		f := Facts{KeptPatches: tt.kept}
		for range 2 { // facts are read more than once, and have no doubles then
			mentions(t, f.readPatches(c), tt.err)
		}
		if tt.err != "" {
			continue
		}
		if len(f.Patches) != len(tt.want) || len(f.PatchTexts) != len(tt.want) {
			t.Errorf("%s: %v, %v", name, f.Patches, f.PatchTexts)
		}
		for _, name := range tt.want {
			if f.PatchTexts[name] != etcdPatch {
				t.Errorf("%s is %q", name, f.PatchTexts[name])
			}
		}
	}
}

// What apply was given is for all masters, what upgrade, init and join were given for this one.
func TestPatchesToKeep(t *testing.T) {
	t.Parallel()
	for verb, want := range map[string]string{applyVerb: "ConfigMap kube-system/tripod-patches", "upgrade apply": "ConfigMap kube-system/tripod-patches-node-1"} {
		m := freshMaster(func(m *Master) {
			m.Living, m.Node.Patches = &Living{Verb: verb}, &config.Patches{Directory: "/p"}
			m.PatchTexts = map[string]string{"etcd.yaml": etcdPatch}
		})
		objects, err := changedPatches(m)
		if err != nil || len(objects) != 1 || objectKey(objects[0]) != want || string(data(objects[0], "patches")) != "etcd.yaml: |\n  "+etcdPatch {
			t.Errorf("%s: %v, %v", verb, objects, err)
		}
		m.Node.Patches = nil
		if objects, err := changedPatches(m); err != nil || objects != nil {
			t.Errorf("%s without patches: %v, %v", verb, objects, err)
		}
	}
}
