package manifests

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestParsePatchFile(t *testing.T) {
	t.Parallel()
	patch := [][]byte{[]byte(`{"a":1}`)}
	for name, test := range map[string]struct {
		data string
		want PatchFile
		err  string
	}{
		"etcd.yaml":                           {data: "a: 1", want: PatchFile{Target: "etcd", Type: types.StrategicMergePatchType, Documents: patch}},
		"kube-apiserver0+merge.yaml":          {data: "a: 1", want: PatchFile{Target: "kube-apiserver", Type: types.MergePatchType, Documents: patch}},
		"kube-controller-manager-x+json.json": {data: `{"a": 1}`, want: PatchFile{Target: "kube-controller-manager", Type: types.JSONPatchType, Documents: patch}},
		"kube-scheduler+strategic.yaml":       {data: "---\na: 1\n---\n\n---\na: 1\n", want: PatchFile{Target: "kube-scheduler", Type: types.StrategicMergePatchType, Documents: [][]byte{patch[0], patch[0]}}},
		"kubeletconfiguration.json":           {data: "\n", want: PatchFile{Target: "kubeletconfiguration", Type: types.StrategicMergePatchType}},
		"corednsdeployment.yaml":              {data: "# nothing", want: PatchFile{Target: "corednsdeployment", Type: types.StrategicMergePatchType}},

		"etcd.yml":          {err: "extension .yaml or .json"},
		"etcd.yaml.bak":     {err: "extension .yaml or .json"},
		"etcd":              {err: "extension .yaml or .json"},
		"README.yaml":       {err: `unknown target "README", must begin with one of etcd, kube-apiserver,`},
		"kube-proxy.yaml":   {err: "unknown target"},
		"etcd+.yaml":        {err: "unknown patch type"},
		"etcd+mergeit.yaml": {err: `unknown patch type "mergeit"`},
		"etcd0.yaml":        {data: "a: [", err: "document 1: "},
		"etcd1.yaml":        {data: "a: 1\n---\na: 1\na: 2", err: `document 2: `},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParsePatchFile(name, []byte(test.data))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || !strings.Contains(err.Error(), name) {
					t.Errorf("got %v, want %q", err, test.err)
				}
				return
			}
			test.want.Name = name
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

func testPod() *corev1.Pod {
	pod := &corev1.Pod{}
	pod.APIVersion, pod.Kind, pod.Name, pod.Namespace = "v1", "Pod", "etcd", "kube-system"
	pod.Annotations = map[string]string{"a": "1"}
	pod.Spec.Containers = []corev1.Container{{Name: "etcd", Image: "etcd:1", Command: []string{"etcd", "--a"}}}
	return pod
}

func TestPatch(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string // by name
		want  func(*corev1.Pod)
		err   string
	}{
		"none, and those of others": {
			files: map[string]string{"kube-apiserver.yaml": "spec: {hostNetwork: true}"},
			want:  func(*corev1.Pod) {}},
		"strategic merges containers by name": {
			files: map[string]string{"etcd.yaml": "spec: {containers: [{name: etcd, image: 'etcd:2'}]}"},
			want:  func(p *corev1.Pod) { p.Spec.Containers[0].Image = "etcd:2" }},
		"strategic deletes by directive": {
			files: map[string]string{"etcd.yaml": "metadata: {annotations: {$patch: delete}}"},
			want:  func(p *corev1.Pod) { p.Annotations = map[string]string{} }},
		"merge replaces lists": {
			files: map[string]string{"etcd+merge.yaml": "spec: {containers: [{name: etcd, image: 'etcd:2'}]}"},
			want:  func(p *corev1.Pod) { p.Spec.Containers = []corev1.Container{{Name: "etcd", Image: "etcd:2"}} }},
		"json edits": {
			files: map[string]string{"etcd+json.yaml": "- {op: add, path: /spec/containers/0/command/-, value: --b}"},
			want:  func(p *corev1.Pod) { p.Spec.Containers[0].Command = []string{"etcd", "--a", "--b"} }},
		"files by name, documents in order": {
			files: map[string]string{
				"etcd1+merge.yaml": "metadata: {annotations: {a: '3'}}\n---\nmetadata: {annotations: {b: '1'}}",
				"etcd0.yaml":       "metadata: {annotations: {a: '2', b: '2'}}"},
			want: func(p *corev1.Pod) { p.Annotations = map[string]string{"a": "3", "b": "1"} }},

		"unknown field":    {files: map[string]string{"etcd0.yaml": "spec: {hostNetwrok: true}"}, err: `patch file etcd0.yaml makes no pod: unknown field "spec.hostNetwrok"`},
		"renames the pod":  {files: map[string]string{"etcd+merge.yaml": "metadata: {name: etcd2}"}, err: "name and namespace must stay"},
		"no container":     {files: map[string]string{"etcd+merge.yaml": "spec: {containers: []}"}, err: "patch file etcd+merge.yaml makes no pod: it is not whole"},
		"no such path":     {files: map[string]string{"etcd+json.json": `[{"op": "remove", "path": "/spec/none"}]`}, err: "patch file etcd+json.json, document 1: "},
		"no json patch":    {files: map[string]string{"etcd+json.json": `{}`}, err: "patch file etcd+json.json, document 1: "},
		"no object at all": {files: map[string]string{"etcd.yaml": "text"}, err: "patch file etcd.yaml, document 1: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Patch(testPod(), "etcd", parsed(t, test.files))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, want %q", err, test.err)
				}
				return
			}
			want := testPod()
			test.want(want)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

func parsed(t *testing.T, files map[string]string) []PatchFile {
	t.Helper()
	var all []PatchFile
	for name, data := range files {
		f, err := ParsePatchFile(name, []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

func TestApplyWithoutSchema(t *testing.T) {
	t.Parallel()
	file := parsed(t, map[string]string{"kubeletconfiguration.yaml": "maxPods: 50\nclusterDNS: [10.0.0.10]"})[0]
	got, err := file.Apply([]byte(`{"maxPods":110,"clusterDNS":["10.96.0.10"],"x":1}`), nil)
	if want := `{"clusterDNS":["10.0.0.10"],"maxPods":50,"x":1}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}
