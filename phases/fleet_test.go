package phases

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/config"
)

const masterNode = `apiVersion: v1
kind: Node
metadata: {name: m1, labels: {node-role.kubernetes.io/control-plane: ""}}
status:
  nodeInfo: {kubeletVersion: v1.36.3}
  conditions: [{type: MemoryPressure, status: "False", message: enough}, {type: Ready, status: "False", message: no network}]
`

const workerNode = `apiVersion: v1
kind: Node
metadata: {name: w1}
status:
  nodeInfo: {kubeletVersion: v1.35.4}
  conditions: [{type: Ready, status: "False", message: away}]
`

const apiserverOfM1 = `apiVersion: v1
kind: Pod
metadata: {name: kube-apiserver-m1}
spec: {nodeName: m1, containers: [{name: kube-apiserver, image: "registry:5000/kube-apiserver:v1.36.3@sha256:00"}, {name: helper, image: helper}]}
`

const pinnedOfM2 = `apiVersion: v1
kind: Pod
metadata: {name: kube-apiserver-m2}
spec: {nodeName: m2, containers: [{name: kube-apiserver, image: "registry:5000/kube-apiserver@sha256:00"}]}
`

const memberOfM1 = `apiVersion: v1
kind: Pod
metadata: {name: etcd-m1}
spec: {nodeName: m1, containers: [{name: etcd, image: "registry.k8s.io/etcd:3.6.6-0"}]}
`

func parsed(t *testing.T, s string) config.Version {
	t.Helper()
	v, err := config.ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestReadFleet(t *testing.T) {
	t.Parallel()
	of := func(texts ...string) []unstructured.Unstructured {
		var all []unstructured.Unstructured
		for _, text := range texts {
			all = append(all, *object(t, text))
		}
		return all
	}
	broken := `{apiVersion: v1, kind: Node, metadata: {name: x}, status: nonsense}`
	got := readFleet(of(masterNode, workerNode, broken), of(apiserverOfM1, memberOfM1, pinnedOfM2), taggedVersion)
	want := Fleet{
		Components: map[string]map[string]config.Version{"m1": {"kube-apiserver": parsed(t, "v1.36.3")}},
		Kubelets:   map[string]config.Version{"m1": parsed(t, "v1.36.3"), "w1": parsed(t, "v1.35.4")},
		Unready:    map[string]string{"m1": "no network"},
	}
	if got.Untold["kube-apiserver on m2"] == nil || len(got.Untold) != 1 {
		t.Errorf("untold are %v", got.Untold)
	}
	got.Untold = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// fleet has apiservers of those versions, by master.
func fleet(t *testing.T, versions map[string]string) Fleet {
	t.Helper()
	f := Fleet{Components: map[string]map[string]config.Version{}}
	for node, v := range versions {
		f.Components[node] = map[string]config.Version{"kube-apiserver": parsed(t, v)}
	}
	return f
}

func TestFleetVersions(t *testing.T) {
	t.Parallel()
	unknown := Fleet{Unknown: errors.New("connection refused")}
	untold := func(node string) Fleet {
		f := fleet(t, map[string]string{"m3": "v1.36.3"})
		f.Untold = map[string]error{"kube-apiserver on " + node: errors.New("no version"), "kube-scheduler on m3": errors.New("no version")}
		return f
	}
	for name, tt := range map[string]struct {
		fleet           Fleet
		reached, atMost bool
	}{
		"all have it":            {fleet(t, map[string]string{"node-1": "v1.36.3", "m2": "v1.36.3"}), true, true},
		"this one is on its way": {fleet(t, map[string]string{"node-1": "v1.35.4", "m2": "v1.36.3"}), true, true},
		"another is behind":      {fleet(t, map[string]string{"node-1": "v1.36.3", "m2": "v1.35.4"}), false, true},
		"another is ahead":       {fleet(t, map[string]string{"node-1": "v1.36.3", "m2": "v1.36.4"}), true, false},
		"both":                   {fleet(t, map[string]string{"m2": "v1.35.4", "m3": "v1.36.4"}), false, false},
		"nobody":                 {Fleet{}, true, false},
		"could not be asked":     {unknown, false, false},
		"another does not tell":  {untold("m2"), false, false},
		"this one does not tell": {untold("node-1"), true, true},
	} {
		v := parsed(t, "v1.36.3")
		if reached, atMost := tt.fleet.reached(v, "node-1"), tt.fleet.atMost(v, "node-1"); reached != tt.reached || atMost != tt.atMost {
			t.Errorf("%s: reached %v, at most %v", name, reached, atMost)
		}
	}
}
