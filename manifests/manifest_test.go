package manifests

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestEncode(t *testing.T) {
	t.Parallel()
	got, err := Encode(testPod())
	want := `apiVersion: v1
kind: Pod
metadata:
  annotations:
    a: "1"
  name: etcd
  namespace: kube-system
spec:
  containers:
  - command:
    - etcd
    - --a
    image: etcd:1
    name: etcd
    resources: {}
`
	if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
		t.Error(err, diff)
	}
	again, err := Decode(got)
	if diff := cmp.Diff(testPod(), again); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// Wherever a manifest is cut off, it is an error, or a pod that has its container.
func TestDecodeCut(t *testing.T) {
	t.Parallel()
	whole, err := Encode(testPod())
	if err != nil {
		t.Fatal(err)
	}
	for size := range whole {
		pod, err := Decode(whole[:size])
		if err == nil && Container(pod) == nil {
			t.Errorf("%q is taken for a manifest", whole[:size])
		}
	}
	for _, text := range []string{"", "null", "[]", "a: [", "apiVersion: v1\nkind: Pod\nmetadata: {name: etcd}\nspec:\n  containers:\n",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: etcd}\nspec: {containers: [{name: other}]}", "apiVersion: v1\nkind: Secret\nmetadata: {name: etcd}\n"} {
		if pod, err := Decode([]byte(text)); err == nil {
			t.Errorf("%q is taken for %v", text, pod)
		}
	}
}

// A container that a patch puts before the component's own is not taken for it.
func TestContainer(t *testing.T) {
	t.Parallel()
	pod, err := Patch(testPod(), "etcd", parsed(t, map[string]string{"etcd.yaml": "spec: {containers: [{name: beside, image: 'beside:1'}]}"}))
	if err != nil || len(pod.Spec.Containers) != 2 {
		t.Fatal(err, pod)
	}
	if got := Container(pod).Image; got != "etcd:1" {
		t.Errorf("etcd's image is %s, of %v", got, pod.Spec.Containers)
	}
}

// Every change of the pod or of a file that it reads is another revision; nothing else is.
func TestRevise(t *testing.T) {
	t.Parallel()
	inputs := func() map[string][]byte { return map[string][]byte{"/ca.crt": []byte("ca"), "/ca.key": []byte("key")} }
	base := revision(t, testPod(), inputs())
	if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(base) {
		t.Errorf("revision %q", base)
	}
	revised := testPod()
	revised.Annotations[RevisionAnnotation] = "0123456789abcdef"
	if got := revision(t, revised, inputs()); got != base {
		t.Errorf("an earlier revision counts: %s, not %s", got, base)
	}
	for name, change := range map[string]func(*corev1.Pod, map[string][]byte){
		"pod":        func(p *corev1.Pod, _ map[string][]byte) { p.Spec.Containers[0].Image = "etcd:2" },
		"annotation": func(p *corev1.Pod, _ map[string][]byte) { p.Annotations["a"] = "2" },
		"content":    func(_ *corev1.Pod, in map[string][]byte) { in["/ca.crt"] = []byte("cb") },
		"name":       func(_ *corev1.Pod, in map[string][]byte) { in["/cb.crt"] = in["/ca.crt"]; delete(in, "/ca.crt") },
		"swapped":    func(_ *corev1.Pod, in map[string][]byte) { in["/ca.crt"], in["/ca.key"] = in["/ca.key"], in["/ca.crt"] },
		"gone":       func(_ *corev1.Pod, in map[string][]byte) { delete(in, "/ca.key") },
		"empty":      func(_ *corev1.Pod, in map[string][]byte) { in["/x"] = nil },
	} {
		pod, in := testPod(), inputs()
		change(pod, in)
		if revision(t, pod, in) == base {
			t.Errorf("%s: the revision stays", name)
		}
	}
}

func revision(t *testing.T, pod *corev1.Pod, inputs map[string][]byte) string {
	t.Helper()
	if err := Revise(pod, inputs); err != nil {
		t.Fatal(err)
	}
	data, err := Encode(pod)
	if err != nil {
		t.Fatal(err)
	}
	return RevisionOf(data)
}

func TestAnnotations(t *testing.T) {
	t.Parallel()
	for manifest, want := range map[string]string{
		"metadata: {annotations: {tripod.dev/cluster: sha256:ab}}": "sha256:ab",
		"metadata: {annotations: {}}":                              "",
		"metadata: []":                                             "",
		"":                                                         "",
		"a: [":                                                     "",
	} {
		if got := ClusterOf([]byte(manifest)); got != want {
			t.Errorf("%s: got %q, want %q", manifest, got, want)
		}
	}
}
