package phases

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/config"
)

// A node keeps its other labels and taints.
func TestMark(t *testing.T) {
	t.Parallel()
	const ours = "node-role.kubernetes.io/control-plane"
	const labelled = "metadata: {name: node, labels: {a: b, " + ours + ": '', node.kubernetes.io/exclude-from-external-load-balancers: ''}}\n"
	usual := []config.Taint{{Key: ours, Effect: "NoSchedule"}}
	for name, tt := range map[string]struct {
		node   string
		taints []config.Taint
		want   string // "" if nothing changes
	}{
		"fresh": {"metadata: {name: node}\n", usual, labelled[:len("metadata: {name: node, labels: {")] + labelled[len("metadata: {name: node, labels: {a: b, "):] +
			"spec: {taints: [{key: " + ours + ", effect: NoSchedule}]}"},
		"not ready yet": {"metadata: {name: node, labels: {a: b}}\nspec: {podCIDR: 10.0.0.0/24, taints: [{key: not-ready, effect: NoSchedule}]}", usual,
			labelled + "spec: {podCIDR: 10.0.0.0/24, taints: [{key: not-ready, effect: NoSchedule}, {key: " + ours + ", effect: NoSchedule}]}"},
		"marked":    {labelled + "spec: {taints: [{key: a, effect: b}, {key: " + ours + ", effect: NoSchedule}]}", usual, ""},
		"no taints": {labelled, []config.Taint{}, ""},
		"another value": {labelled + "spec: {taints: [{key: a, value: old, effect: NoExecute}]}", []config.Taint{{Key: "a", Value: "new", Effect: "NoExecute"}},
			labelled + "spec: {taints: [{key: a, value: new, effect: NoExecute}]}"},
		"another effect": {labelled + "spec: {taints: [{key: a, effect: NoExecute}]}", []config.Taint{{Key: "a", Effect: "NoSchedule"}},
			labelled + "spec: {taints: [{key: a, effect: NoExecute}, {key: a, effect: NoSchedule}]}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const head = "apiVersion: v1\nkind: Node\n"
			m := Master{Config: config.Config{Node: config.Node{Registration: config.NodeRegistration{Taints: tt.taints}}}}
			node := object(t, head+tt.node)
			changed := m.mark(node)
			if changed != (tt.want != "") {
				t.Errorf("changed: %v", changed)
			}
			if tt.want == "" {
				return
			}
			if diff := cmp.Diff(object(t, head+tt.want).Object, node.Object); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if m.mark(node) {
				t.Error("marked twice")
			}
		})
	}
}

// A sandbox has no node.
func TestMarkInASandbox(t *testing.T) {
	t.Parallel()
	m := newStage(t, "").gather(t)
	for rootless, want := range map[bool]int{true: 0, false: 1} {
		m.Rootless = rootless
		if changes, err := markControlPlane(m); err != nil || len(changes) != want {
			t.Errorf("rootless %v: %v, %v", rootless, changes, err)
		}
	}
}

// The node is waited for, and read again where somebody else was faster.
func TestMarkingWaits(t *testing.T) {
	t.Parallel()
	const node = `{"apiVersion":"v1","kind":"Node","metadata":{"name":"node-1"}}`
	answers := []struct {
		method, body string
		code         int
	}{
		{"GET", `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"details":{"kind":"nodes","name":"node-1"}}`, 404},
		{"GET", node, 200},
		{"PUT", `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Conflict","code":409,"message":"changed since"}`, 409},
		{"GET", node, 200},
		{"PUT", node, 200},
	}
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := answers[min(int(asked.Add(1)), len(answers))-1]
		if r.Method != a.method {
			t.Errorf("%s, expected %s", r.Method, a.method)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(a.code)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(server.Close)
	m := newStage(t, "").gather(t)
	m.Rootless = false
	changes, err := markControlPlane(m)
	if err != nil || len(changes) != 1 {
		t.Fatal(changes, err)
	}
	var told []string
	err = changes[0].Do(t.Context(), Site{
		api: func() (*cluster.Client, error) {
			return cluster.FromKubeconfig(m.PKI.Kubeconfigs[adminConf], server.URL)
		},
		tell: func(reason string) { told = append(told, reason) },
	})
	if err != nil || int(asked.Load()) != len(answers) {
		t.Errorf("asked %d times: %v", asked.Load(), err)
	}
	if diff := cmp.Diff([]string{"the kubelet has not registered this node yet", "changed since"}, told); diff != "" {
		t.Error(diff)
	}
}
