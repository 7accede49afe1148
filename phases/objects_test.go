package phases

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/cluster"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o, err := cluster.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// apiWith is what is known of an API that has these objects and no others.
func apiWith(live ...*unstructured.Unstructured) Objects {
	seen := map[string]Known[*unstructured.Unstructured]{}
	for _, o := range live {
		seen[objectKey(o)] = There(o)
	}
	return Objects{rest: Absent[*unstructured.Unstructured]()}.With(seen)
}

func TestWant(t *testing.T) {
	t.Parallel()
	const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: kube-system}\n"
	for name, tt := range map[string]struct {
		live, wanted string // live is "" for none
		want, diff   string // diff is a part of it
	}{
		"new":           {"", "data: {a: b}", "create ConfigMap kube-system/x", "\n+data:\n+  a: b"},
		"same":          {"data: {a: b}", "data: {a: b}", "", ""},
		"more":          {"data: {a: b, c: d}", "data: {a: b}", "", ""},
		"less":          {"data: {a: b}", "data: {a: b, c: d}", "replace ConfigMap kube-system/x", "\n+  c: d"},
		"other":         {"data: {a: b, c: d}", "data: {a: c}", "replace ConfigMap kube-system/x", "\n-  a: b\n+  a: c"},
		"numbers":       {"spec: {n: 3}", "spec: {n: 3}", "", ""},
		"list":          {"spec: {l: [{a: 1, b: 2}, {a: 3}]}", "spec: {l: [{a: 1}, {a: 3}]}", "", ""},
		"longer list":   {"spec: {l: [{a: 1}, {a: 3}]}", "spec: {l: [{a: 1}]}", "replace ConfigMap kube-system/x", "-  - a: 3"},
		"other order":   {"spec: {l: [1, 2]}", "spec: {l: [2, 1]}", "replace ConfigMap kube-system/x", ""},
		"null":          {"status: {a: b}", "status: null", "", ""},
		"left out":      {"spec: {a: b}", "spec: {a: b, c: {}, d: [], e: false}", "", ""},
		"an empty text": {"spec: {a: b}", "spec: {a: b, c: ''}", "replace ConfigMap kube-system/x", "+  c: \"\""},
		"another kind":  {"spec: {a: b}", "spec: {a: {b: c}}", "replace ConfigMap kube-system/x", "-  a: b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wanted := object(t, configMap+tt.wanted)
			m := Master{Facts: Facts{Objects: apiWith()}}
			if tt.live != "" {
				m.Objects = apiWith(object(t, configMap+tt.live))
			}
			changes := m.want(wanted)
			var got, diff string
			for _, c := range changes {
				got, diff = c.String(), c.Diff
			}
			if got != tt.want || !strings.Contains(diff, tt.diff) {
				t.Errorf("got %q\n%s", got, diff)
			}
		})
	}
}

// Of a Secret the plan tells which keys change, not to what.
func TestWantOfSecrets(t *testing.T) {
	t.Parallel()
	const secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: x, namespace: kube-system}\n"
	live := object(t, secret+"data: {same: aHVudGVyMQ==, other: aHVudGVyMg==}")
	m := Master{Facts: Facts{Objects: apiWith(live)}}
	if changes := m.want(object(t, secret+"stringData: {same: hunter1}")); len(changes) > 0 {
		t.Errorf("planned %v", changes)
	}
	changes := m.want(object(t, secret+"stringData: {same: hunter1, other: hunter3}"))
	if len(changes) != 1 {
		t.Fatalf("planned %v", changes)
	}
	lines := map[string]int{}
	for line := range strings.Lines(changes[0].Diff) {
		mark, _, _ := strings.Cut(strings.TrimSpace(line), " sha256:")
		lines[mark]++
	}
	if lines["-  other:"] != 1 || lines["+  other:"] != 1 || lines["same:"] != 1 || strings.Contains(changes[0].Diff, "aHVudGV") {
		t.Errorf("shown: %s", changes[0].Diff)
	}
}

// Every template makes objects, each with a name and a kind of its own.
func TestObjectsOfInit(t *testing.T) {
	t.Parallel()
	m := newStage(t, tokenDocument).gather(t)
	m.Rootless, m.UploadCerts = false, true
	names := map[string]bool{}
	for _, p := range Init() {
		if p.Objects == nil {
			continue
		}
		objects, err := p.Objects(m)
		if err != nil || len(objects) == 0 && p.Name != "upload-config/patches" {
			t.Errorf("%s: %d objects, %v", p.Name, len(objects), err)
		}
		for _, o := range objects {
			if key := objectKey(o); names[key] || o.GetAPIVersion() == "" || o.GetName() == "" {
				t.Errorf("%s: %s twice, or without a name", p.Name, key)
			}
			names[objectKey(o)] = true
		}
	}
	var missing []string
	for _, key := range []string{
		"ConfigMap kube-system/kubeadm-config", "Role kube-system/kubeadm:nodes-kubeadm-config", "RoleBinding kube-system/kubeadm:nodes-kubeadm-config",
		"ConfigMap kube-system/kubelet-config", "Role kube-system/kubeadm:kubelet-config", "RoleBinding kube-system/kubeadm:kubelet-config",
		"Role kube-system/kubeadm:kubeadm-certs", "RoleBinding kube-system/kubeadm:kubeadm-certs",
		"Secret kube-system/bootstrap-token-abcdef", "ConfigMap kube-public/cluster-info",
		"Role kube-public/kubeadm:bootstrap-signer-clusterinfo", "RoleBinding kube-public/kubeadm:bootstrap-signer-clusterinfo",
		"ClusterRoleBinding kubeadm:kubelet-bootstrap", "ClusterRoleBinding kubeadm:node-autoapprove-bootstrap",
		"ClusterRoleBinding kubeadm:node-autoapprove-certificate-rotation", "ClusterRole kubeadm:get-nodes", "ClusterRoleBinding kubeadm:get-nodes",
		"ClusterRoleBinding kubeadm:cluster-admins", "ClusterRoleBinding kubeadm:apiserver-kubelet-client",
	} {
		if !names[key] {
			missing = append(missing, key)
		}
	}
	if diff := cmp.Diff([]string(nil), missing); diff != "" {
		t.Error(diff)
	}
}
