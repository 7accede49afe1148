// Package manifests knows what a static pod's manifest is: how a template becomes a pod, how
// users' patches change it, how it is written, which revision it has, what differs between two
// of it, and which files may lie in a manifest directory. Everything in it is a pure function.
// What the components are told, it does not know: their flags and values come from phases; all
// that it knows of flags is which names a component of some version accepts.
package manifests

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

const (
	// RevisionAnnotation holds the digest of a pod and of what it reads, see Revise.
	RevisionAnnotation = "tripod.dev/revision"
	// ClusterAnnotation holds the digest of the cluster's CA key, by which a manifest belongs to a cluster.
	ClusterAnnotation = "tripod.dev/cluster"
	// BinDirAnnotation holds the directory of the pod's programs, where there is no image of them.
	BinDirAnnotation = "tripod.dev/bin-dir"
)

// Components are the names of the four pods of a master, in the order in which they need each other.
func Components() []string {
	return []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
}

// Encode is the pod as canonical YAML: keys sorted, no status, nothing that is empty and optional.
func Encode(pod *corev1.Pod) ([]byte, error) {
	data, err := yaml.Marshal(struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              corev1.PodSpec `json:"spec"`
	}{pod.TypeMeta, pod.ObjectMeta, pod.Spec})
	if err != nil {
		return nil, fmt.Errorf("encoding pod %s: %w", pod.Name, err)
	}
	return data, nil
}

// ClusterOf is the cluster annotation of a manifest, "" if it has none or is no manifest.
func ClusterOf(manifest []byte) string { return annotation(manifest, ClusterAnnotation) }

// BinDirOf is the directory of its programs that a manifest names, "" if it names none.
func BinDirOf(manifest []byte) string { return annotation(manifest, BinDirAnnotation) }

// RevisionOf is the revision annotation of a manifest, "" if it has none or is no manifest.
func RevisionOf(manifest []byte) string { return annotation(manifest, RevisionAnnotation) }

func annotation(manifest []byte, name string) string {
	var pod metav1.PartialObjectMetadata
	if err := yaml.Unmarshal(manifest, &pod); err != nil {
		return ""
	}
	return pod.Annotations[name]
}

// Decode reads a manifest, YAML or JSON strictly: duplicate and unknown fields, and fields in the wrong case, are errors, all told
// at once. So is a pod without the container that has its name, as what is left of a file that was cut off.
func Decode(data []byte) (*corev1.Pod, error) {
	pod, err := strictly(data)
	if err == nil {
		err = whole(pod)
	}
	if err != nil {
		return nil, err
	}
	return pod, nil
}

func strictly(data []byte) (*corev1.Pod, error) {
	doc, err := yaml.YAMLToJSONStrict(data)
	if err != nil {
		return nil, err
	}
	var pod corev1.Pod
	strict, err := json.UnmarshalStrict(doc, &pod)
	if err = errors.Join(append(strict, err)...); err != nil {
		return nil, err
	}
	return &pod, nil
}

func whole(pod *corev1.Pod) error {
	if pod.Kind != "Pod" || pod.Name == "" || Container(pod) == nil {
		return fmt.Errorf("it is not whole: it describes no pod with a container of the pod's name (%q)", pod.Name)
	}
	return nil
}

// Container is the one that has its pod's name: the component itself, wherever patches put others. It is nil if there is none.
func Container(pod *corev1.Pod) *corev1.Container {
	i := slices.IndexFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == pod.Name })
	if i < 0 {
		return nil
	}
	return &pod.Spec.Containers[i]
}
