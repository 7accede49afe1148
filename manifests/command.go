package manifests

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// CommandFlags are those of a component's command, by name. Of one that is repeated the last counts.
func CommandFlags(pod *corev1.Pod) map[string]string {
	flags := map[string]string{}
	for _, c := range pod.Spec.Containers {
		for _, arg := range slices.Concat(c.Command, c.Args) {
			if name, value, found := strings.Cut(strings.TrimPrefix(arg, "--"), "="); found && strings.HasPrefix(arg, "--") {
				flags[name] = value
			}
		}
	}
	return flags
}

// ManifestFlags are the flags of a manifest, none if it is no manifest.
func ManifestFlags(manifest []byte) map[string]string {
	var pod corev1.Pod
	if err := yaml.Unmarshal(manifest, &pod); err != nil {
		return nil
	}
	return CommandFlags(&pod)
}

// HostPath is where a volume of a manifest lies on the machine, "" if there is none of that name.
func HostPath(manifest []byte, volume string) string {
	var pod corev1.Pod
	if err := yaml.Unmarshal(manifest, &pod); err != nil {
		return ""
	}
	for _, v := range pod.Spec.Volumes {
		if v.Name == volume && v.HostPath != nil {
			return v.HostPath.Path
		}
	}
	return ""
}
