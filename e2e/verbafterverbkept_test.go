package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// keptKinds are what tripod writes in a cluster, and what its operators change there.
const keptKinds = "configmaps,secrets,serviceaccounts,daemonsets,deployments,roles,rolebindings,clusterroles,clusterrolebindings,nodes"

// keptObject is an object without what the cluster itself keeps up to date.
type keptObject struct {
	Kind     string
	Metadata struct {
		Namespace, Name string
		Labels          map[string]string
	} `json:"metadata"`
	Spec                                     map[string]any
	Data, Rules, Subjects, RoleRef, Template any
}

// objects are those of the cluster, as text by kind and name.
func (w *world) objects(t *testing.T) map[string]string {
	t.Helper()
	var list struct{ Items []keptObject }
	if err := json.Unmarshal([]byte(must(t)(w.nodes[0].Kubectl(t.Context(), "get", keptKinds, "--all-namespaces", "--output=json"))), &list); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, o := range list.Items {
		key := fmt.Sprintf("%s %s/%s", o.Kind, o.Metadata.Namespace, o.Metadata.Name)
		// The controller-manager gives each namespace these in its own time, signs cluster-info as tokens come and go, and fills
		// the roles that are made of others.
		if o.Metadata.Labels["kubernetes.io/bootstrapping"] != "" || o.Metadata.Name == "kube-root-ca.crt" || o.Kind == "ServiceAccount" || key == "ConfigMap kube-public/cluster-info" {
			continue
		}
		if o.Kind == "Node" {
			o.Spec = map[string]any{"taints": ownTaints(o.Spec["taints"])}
		}
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		all[key] = string(text)
	}
	return all
}

// ownTaints are those that nobody sets by how a node does.
func ownTaints(taints any) []any {
	all, _ := taints.([]any)
	return slices.DeleteFunc(all, func(taint any) bool { return strings.Contains(fmt.Sprint(taint), "node.kubernetes.io/") })
}

// wantKept wants all objects to be as they were, but for those that the verb may change.
func (w *world) wantKept(t *testing.T, verb afterVerb, before map[string]string) {
	t.Helper()
	may := regexp.MustCompile("^(" + verb.may + ")$")
	after := w.objects(t)
	mine := func(key, _ string) bool { return verb.may != "" && may.MatchString(key) }
	maps.DeleteFunc(before, mine)
	maps.DeleteFunc(after, mine)
	maps.DeleteFunc(before, func(key, _ string) bool { // what lives for a time ends
		_, there := after[key]
		return !there && strings.HasPrefix(key, "Secret ")
	})
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("%s has changed in the cluster (-before +after):\n%s", verb.name, diff)
	}
}

// files are those of all masters, by node.
func (w *world) files(t *testing.T) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	for _, n := range w.nodes {
		all[n.Name] = snapshot(t, n)
		for name := range strings.Lines(must(t)(n.Run(t.Context(), "find", "/var/lib/tripod", "-not", "-path", "*/generations/*"))) {
			all[n.Name][strings.TrimSpace(name)] = ""
		}
		maps.DeleteFunc(all[n.Name], func(path, _ string) bool { return strings.Contains(path, "/kubelet-client-") }) // which the kubelet rotates
	}
	return all
}

// wantFiles wants no file to have come or gone; of a verb that has nothing to do, none to have changed.
func (w *world) wantFiles(t *testing.T, verb afterVerb, before map[string]map[string]string) {
	t.Helper()
	after := w.files(t)
	for node, files := range before {
		if verb.nothing {
			wantSame(t, files, after[node])
			continue
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(files)), slices.Sorted(maps.Keys(after[node]))); diff != "" {
			t.Errorf("%s has left files on %s (-before +after):\n%s", verb.name, node, diff)
		}
	}
}

// change is what an operator does between two verbs: cluster DNS, the proxy and kubelets are to be otherwise.
func (w *world) change(t *testing.T) {
	t.Helper()
	w.count++
	for _, c := range []struct{ name, key string }{{"coredns", "Corefile"}, {"kube-proxy", "config.conf"}} {
		text := must(t)(w.nodes[0].Kubectl(t.Context(), "--namespace=kube-system", "get", "configmap", c.name, "--output=jsonpath={.data."+strings.ReplaceAll(c.key, ".", `\.`)+"}"))
		text, _, _ = strings.Cut(text, "# changed")
		patch, err := json.Marshal(map[string]any{"data": map[string]string{c.key: fmt.Sprintf("%s# changed %d times\n", text, w.count)}})
		if err != nil {
			t.Fatal(err)
		}
		must(t)(w.nodes[0].Kubectl(t.Context(), "--namespace=kube-system", "patch", "configmap", c.name, "--patch="+string(patch)))
	}
	must(t)(w.nodes[0].Kubectl(t.Context(), "taint", "nodes", w.nodes[0].Name, fmt.Sprintf("example.test/changed=%d:PreferNoSchedule", w.count), "--overwrite"))
}

// revoke takes away the tokens that init has made, and lets pods onto the first master.
func (w *world) revoke(t *testing.T) {
	t.Helper()
	must(t)(w.nodes[0].Kubectl(t.Context(), "taint", "nodes", w.nodes[0].Name, "node-role.kubernetes.io/control-plane-"))
	for name := range strings.FieldsSeq(must(t)(w.nodes[0].Kubectl(t.Context(), "--namespace=kube-system", "get", "secrets", "--field-selector=type=bootstrap.kubernetes.io/token", "--output=name"))) {
		must(t)(w.nodes[0].Kubectl(t.Context(), "--namespace=kube-system", "delete", name))
	}
}
