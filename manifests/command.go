package manifests

import (
	"math"
	"slices"
	"strings"
	"time"

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

// Grace is how long the pod of a manifest has to end by itself, 30 s unless it says otherwise.
func Grace(manifest []byte) time.Duration {
	var pod corev1.Pod
	if err := yaml.Unmarshal(manifest, &pod); err != nil || pod.Spec.TerminationGracePeriodSeconds == nil {
		return corev1.DefaultTerminationGracePeriodSeconds * time.Second
	}
	return seconds(*pod.Spec.TerminationGracePeriodSeconds)
}

// seconds is a number of seconds of a manifest, which may be more than a duration holds: 292 years are as good.
func seconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), int64(math.MaxInt64/time.Second))) * time.Second
}

// Images are those of a manifest's containers, by the container's name.
func Images(manifest []byte) map[string]string {
	var pod corev1.Pod
	if err := yaml.Unmarshal(manifest, &pod); err != nil {
		return nil
	}
	images := map[string]string{}
	for _, c := range pod.Spec.Containers {
		images[c.Name] = c.Image
	}
	return images
}
