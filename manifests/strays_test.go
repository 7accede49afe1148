package manifests

import (
	"strings"
	"testing"
)

func TestStrays(t *testing.T) {
	t.Parallel()
	pod := func(name, namespace string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", namespace: " + namespace + "}\nspec: {containers: [], unknown: 1}\n"
	}
	for name, test := range map[string]struct{ file, data, want string }{
		"ours":                    {"etcd.yaml", pod("etcd", "kube-system"), ""},
		"ours, torn":              {"kube-scheduler.yaml", "apiVers", ""},
		"a dot file":              {".etcd.yaml.tripod", pod("etcd", "kube-system"), ""},
		"a swap file":             {".etcd.yaml.swp", "b0VIM", ""},
		"the user's own":          {"kube-vip.yaml", pod("kube-vip", "kube-system"), ""},
		"the user's own, yml":     {"lb.yml", pod("lb", "default"), ""},
		"the user's own, json":    {"lb.json", `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "lb"}}`, ""},
		"etcd of another":         {"metrics.yaml", pod("etcd", "monitoring"), ""},
		"a backup":                {"etcd.yaml.bak", pod("etcd", "kube-system"), "also names the pod etcd of etcd.yaml"},
		"an editor's backup":      {"etcd.yaml~", pod("etcd", "kube-system"), "also names the pod etcd"},
		"a copy":                  {"apiserver.yaml", pod("kube-apiserver", "kube-system"), "also names the pod kube-apiserver"},
		"ours as json":            {"etcd.json", pod("etcd", "kube-system"), "also names the pod etcd"},
		"backup of the user's":    {"kube-vip.yaml.bak", pod("kube-vip", "kube-system"), "names the pod kube-vip and looks like a copy"},
		"text":                    {"README", "read me", "is not the manifest of a pod"},
		"empty":                   {"new.yaml", "\n", "is not the manifest of a pod (it is empty)"},
		"another kind":            {"cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}", `is not the manifest of a pod (its kind is "ConfigMap" of "v1")`},
		"nameless":                {"a.yaml", "apiVersion: v1\nkind: Pod", "it has no name"},
		"something not parseable": {"b.yaml", "a: [", "is not the manifest of a pod"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Strays(map[string][]byte{test.file: []byte(test.data)})
			switch {
			case test.want == "" && len(got) > 0:
				t.Errorf("got %s", got)
			case test.want != "" && (len(got) != 1 || got[0].Name != test.file || !strings.Contains(got[0].Reason, test.want)):
				t.Errorf("got %s, want %q", got, test.want)
			}
		})
	}
}
