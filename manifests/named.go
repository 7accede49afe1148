package manifests

import (
	"maps"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// NamedInputs are the files that an input of the pod names in turn, as a kubeconfig names certificates: those at absolute paths
// that a volume of the host has. Sockets, as key management has them, are none.
func NamedInputs(pod *corev1.Pod, input Input, data []byte) []Input {
	var document any
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil
	}
	var all []Input
	for _, path := range named(document) {
		for _, c := range pod.Spec.Containers {
			if at := OnHost(&pod.Spec, c.VolumeMounts, path); c.Name == input.Component && at != "" {
				all = append(all, Input{input.Component, input.Flag, path, at})
			}
		}
	}
	return all
}

// namingFields are the fields of configuration files in which a component looks for a file: of a kubeconfig, of admission's
// plugins and their own files, of authorizers, of egress.
func namingFields() []string {
	return []string{"certificate-authority", "client-certificate", "client-key", "path", "kubeConfigFile", "kubeconfig", "caBundle", "clientCert", "clientKey"}
}

// named are the absolute paths in such fields, in the order of the fields' names.
func named(part any) []string {
	var all []string
	switch part := part.(type) {
	case map[string]any:
		for _, field := range slices.Sorted(maps.Keys(part)) {
			if path, ok := part[field].(string); ok && filepath.IsAbs(path) && slices.Contains(namingFields(), field) {
				all = append(all, path)
			}
			all = append(all, named(part[field])...)
		}
	case []any:
		for _, item := range part {
			all = append(all, named(item)...)
		}
	}
	return all
}
