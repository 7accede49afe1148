package manifests

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// Content is what a manifest has run, in one form whoever wrote it: without its revision, which may be of what it was before
// somebody edited it, and without how long its startup probe is patient, which follows the timeouts of whoever wrote it.
// What is no manifest is as it is.
func Content(manifest []byte) string {
	var pod corev1.Pod
	if err := yaml.Unmarshal(manifest, &pod); err != nil || len(pod.Spec.Containers) == 0 {
		return string(manifest)
	}
	plain(&pod)
	data, err := Encode(&pod)
	if err != nil {
		return string(manifest)
	}
	return string(data)
}

// plain takes off a pod what does not count for what it runs.
func plain(pod *corev1.Pod) {
	delete(pod.Annotations, RevisionAnnotation)
	for i, c := range pod.Spec.Containers {
		if c.StartupProbe != nil {
			probe := c.StartupProbe.DeepCopy()
			probe.FailureThreshold = 0
			pod.Spec.Containers[i].StartupProbe = probe
		}
	}
}

// Statements are all that a manifest says, one by one, in order: the words of commands as they are (--v=3), everything else with the
// field that it stands in (spec.hostNetwork: true). Values of variables are left out, as they may be secrets. What is no
// manifest says nothing.
func Statements(manifest []byte) []string {
	var tree map[string]any
	if err := yaml.Unmarshal([]byte(Content(manifest)), &tree); err != nil {
		return nil
	}
	return say(tree, "")
}

// say are the statements of a part of a document, which stands in field.
func say(part any, field string) []string {
	var all []string
	switch part := part.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(part)) {
			all = append(all, say(part[name], strings.TrimPrefix(field+"."+name, "."))...)
		}
	case []any:
		for i, item := range part {
			all = append(all, say(item, field+itemName(item, i))...)
		}
	default:
		all = append(all, statement(part, field))
	}
	return all
}

// itemName is how an item of a list is told from others: by its name if it has one, not at all if it is but a value.
func itemName(item any, i int) string {
	named, ok := item.(map[string]any)
	switch name, _ := named["name"].(string); {
	case name != "":
		return "[" + name + "]"
	case ok:
		return fmt.Sprintf("[%d]", i)
	}
	return "[]"
}

func statement(value any, field string) string {
	switch {
	case strings.HasSuffix(field, "].command[]"), strings.HasSuffix(field, "].args[]"):
		return fmt.Sprint(value)
	case strings.Contains(field, "].env["):
		return field
	}
	text, err := json.Marshal(value)
	if err != nil {
		return field
	}
	return field + ": " + string(text)
}
