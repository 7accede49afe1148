package manifests

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// Patch applies those of the files that are for target to a copy of the pod, in the order of their
// names. What comes out of each must still be that pod, without unknown fields; an error names the file.
func Patch(pod *corev1.Pod, target string, files []PatchFile) (*corev1.Pod, error) {
	patched := pod.DeepCopy()
	for _, f := range PatchesFor(target, files) {
		document, err := json.Marshal(patched)
		if err != nil {
			return nil, err
		}
		if document, err = f.Apply(document, corev1.Pod{}); err != nil {
			return nil, err
		}
		if patched, err = strictly(document); err != nil {
			return nil, fmt.Errorf("patch file %s makes no pod: %w", f.Name, err)
		}
		if patched.Kind != pod.Kind || patched.Name != pod.Name || patched.Namespace != pod.Namespace {
			return nil, fmt.Errorf("patch file %s makes %s %s/%s of %s %s/%s: kind, name and namespace must stay", f.Name,
				patched.Kind, patched.Namespace, patched.Name, pod.Kind, pod.Namespace, pod.Name)
		}
		if err := whole(patched); err != nil {
			return nil, fmt.Errorf("patch file %s makes no pod: %w", f.Name, err)
		}
	}
	return patched, nil
}

// PatchesFor are the files for one target, in the order in which they are applied.
func PatchesFor(target string, files []PatchFile) []PatchFile {
	mine := slices.DeleteFunc(slices.Clone(files), func(f PatchFile) bool { return f.Target != target })
	slices.SortFunc(mine, func(a, b PatchFile) int { return cmp.Compare(a.Name, b.Name) })
	return mine
}

// Apply applies the file's patches to a JSON document. The schema, a struct of the document's type,
// tells a strategic merge how lists are merged; without one (nil) it merges like a merge patch.
func (f PatchFile) Apply(document []byte, schema any) ([]byte, error) {
	for i, patch := range f.Documents {
		var err error
		if document, err = f.applyOne(document, patch, schema); err != nil {
			return nil, fmt.Errorf("patch file %s, document %d: %w", f.Name, i+1, err)
		}
	}
	return document, nil
}

func (f PatchFile) applyOne(document, patch []byte, schema any) ([]byte, error) {
	switch {
	case f.Type == types.JSONPatchType:
		operations, err := jsonpatch.DecodePatch(patch)
		if err != nil {
			return nil, err
		}
		return operations.Apply(document)
	case f.Type == types.MergePatchType || schema == nil:
		return jsonpatch.MergePatch(document, patch)
	default:
		return strategicpatch.StrategicMergePatch(document, patch, schema)
	}
}
