package manifests

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Revise sets the pod's revision: the first 16 hex digits of a SHA-256 over the pod without that
// annotation and over the names and contents of inputs, the files that its processes read. Who
// changes a certificate thereby changes the manifest, and the pod restarts.
func Revise(pod *corev1.Pod, inputs map[string][]byte) error {
	delete(pod.Annotations, RevisionAnnotation)
	data, err := Encode(pod)
	if err != nil {
		return err
	}
	digest := sha256.New()
	digest.Write(data)
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		fmt.Fprintf(digest, "\n%s %d\n%s", name, len(inputs[name]), inputs[name])
	}
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	pod.Annotations[RevisionAnnotation] = hex.EncodeToString(digest.Sum(nil))[:16]
	return nil
}
