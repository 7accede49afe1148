package agent

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Problem is one reason why a manifest is not run.
type Problem struct {
	// Field is the path of the field, with indices ("spec.containers[0].lifecycle"); "" if it is the file.
	Field string `json:"field,omitempty"`
	Why   string `json:"why"`
}

// String is the problem on one line.
func (p Problem) String() string {
	if p.Field == "" {
		return p.Why
	}
	return p.Field + ": " + p.Why
}

const unsupported = "is not supported for a plain process"

// rule says why a value of an honoured field is refused, "" if it is not.
type rule func(value reflect.Value) string

// identity is the user that the agent's processes run as.
type identity struct{ uid, gid int }

// honoured are the fields that the agent acts on, or that have no meaning for a process of the host (marked
// so); [] stands for an index. Every other field that is set is refused.
func honoured(self identity) map[string]rule {
	fields := map[string]rule{
		"apiVersion":                         anything,
		"kind":                               anything,
		"metadata.name":                      anything,
		"metadata.namespace":                 anything,
		"metadata.labels":                    anything, // no effect
		"metadata.annotations":               anything, // no effect, but for the revision and the directory of programs
		"spec.hostNetwork":                   anything,
		"spec.priority":                      anything, // no effect: nothing is evicted
		"spec.priorityClassName":             anything, // no effect
		"spec.restartPolicy":                 oneOf("Always", "OnFailure", "Never"),
		"spec.terminationGracePeriodSeconds": notNegative,
		"spec.enableServiceLinks":            oneOf("false"), // there are none
		"spec.automountServiceAccountToken":  oneOf("false"), // there is none
		"spec.volumes[].name":                anything,
		"spec.volumes[].hostPath.path":       absolute,
		"spec.volumes[].hostPath.type":       oneOf("", "DirectoryOrCreate", "Directory", "FileOrCreate", "File"),

		"spec.containers[].name":                       anything,
		"spec.containers[].image":                      anything, // no effect: the program comes from a binary directory
		"spec.containers[].imagePullPolicy":            oneOf("IfNotPresent", "Never"),
		"spec.containers[].command":                    anything,
		"spec.containers[].args":                       anything,
		"spec.containers[].workingDir":                 absolute,
		"spec.containers[].env[].name":                 anything,
		"spec.containers[].env[].value":                anything,
		"spec.containers[].ports[].name":               anything,
		"spec.containers[].ports[].containerPort":      anything,
		"spec.containers[].ports[].hostPort":           anything,
		"spec.containers[].ports[].protocol":           anything, // no effect
		"spec.containers[].resources.requests":         anything, // no effect: nothing is scheduled
		"spec.containers[].volumeMounts[].name":        anything,
		"spec.containers[].volumeMounts[].mountPath":   absolute,
		"spec.containers[].volumeMounts[].readOnly":    anything, // no effect: the process sees the host's own files
		"spec.containers[].securityContext.privileged": oneOf("false"),
	}
	maps.Copy(fields, securityFields("spec.securityContext", self))
	maps.Copy(fields, securityFields("spec.containers[].securityContext", self))
	for _, probe := range []string{"startupProbe", "livenessProbe", "readinessProbe"} {
		maps.Copy(fields, probeFields("spec.containers[]."+probe))
	}
	return fields
}

// securityFields are those of a security context that a process of the agent's own user fulfils anyway.
func securityFields(path string, self identity) map[string]rule {
	return map[string]rule{
		path + ".seccompProfile.type": oneOf("RuntimeDefault", "Unconfined"), // no effect
		path + ".runAsUser":           same(self.uid),
		path + ".runAsGroup":          same(self.gid),
		path + ".runAsNonRoot":        oneOf(fmt.Sprint(self.uid != 0), "false"),
	}
}

func probeFields(path string) map[string]rule {
	fields := map[string]rule{
		path + ".exec.command":                anything,
		path + ".httpGet.httpHeaders[].name":  anything,
		path + ".httpGet.httpHeaders[].value": anything,
		path + ".httpGet.scheme":              oneOf("HTTP", "HTTPS"),
	}
	for _, name := range []string{"httpGet.path", "httpGet.host", "httpGet.port", "tcpSocket.host", "tcpSocket.port"} {
		fields[path+"."+name] = anything
	}
	for _, name := range []string{
		"initialDelaySeconds", "periodSeconds", "timeoutSeconds",
		"failureThreshold", "successThreshold", "terminationGracePeriodSeconds",
	} {
		fields[path+"."+name] = notNegative
	}
	return fields
}

func anything(reflect.Value) string { return "" }

func oneOf(allowed ...string) rule {
	return func(value reflect.Value) string {
		if slices.Contains(allowed, fmt.Sprint(value.Interface())) {
			return ""
		}
		return fmt.Sprintf("%v %s", value.Interface(), unsupported)
	}
}

func same(own int) rule {
	return func(value reflect.Value) string {
		if value.Int() == int64(own) {
			return ""
		}
		return fmt.Sprintf("%d is not the agent's own id %d", value.Int(), own)
	}
}

func notNegative(value reflect.Value) string {
	if value.Int() < 0 {
		return fmt.Sprintf("%d is negative", value.Int())
	}
	return ""
}

func absolute(value reflect.Value) string {
	if !filepath.IsAbs(value.String()) {
		return fmt.Sprintf("%q is not an absolute path", value.String())
	}
	return ""
}

// refusals names every field of the pod that is set and not honoured.
func refusals(pod *corev1.Pod, self identity) []Problem {
	w := walk{rules: honoured(self)}
	w.visit("", reflect.ValueOf(*pod))
	return w.problems
}

type walk struct {
	rules    map[string]rule
	problems []Problem
}

// visit judges the value at path; what is not set can not be missed.
func (w *walk) visit(path string, value reflect.Value) {
	if value.IsZero() {
		return
	}
	if value.Kind() == reflect.Pointer {
		value = value.Elem()
	}
	if judge, ok := w.rules[pattern(path)]; ok {
		if why := judge(value); why != "" {
			w.problems = append(w.problems, Problem{path, why})
		}
		return
	}
	if !w.partly(path) {
		w.problems = append(w.problems, Problem{path, unsupported})
		return
	}
	w.inside(path, value)
}

// partly is true if some field below path is honoured.
func (w *walk) partly(path string) bool {
	if path == "" {
		return true
	}
	for field := range w.rules {
		rest, below := strings.CutPrefix(field, pattern(path))
		if below && (rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

func (w *walk) inside(path string, value reflect.Value) {
	switch value.Kind() {
	case reflect.Slice:
		for i := range value.Len() {
			w.visit(fmt.Sprintf("%s[%d]", path, i), value.Index(i))
		}
	case reflect.Struct:
		for i := range value.NumField() {
			w.visit(join(path, value.Type().Field(i)), value.Field(i))
		}
	}
}

// join appends the JSON name of the field; embedded structs add none.
func join(path string, field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	if name == "" || path == "" {
		return path + name
	}
	return path + "." + name
}

// pattern replaces the indices in a path by [].
func pattern(path string) string {
	var out strings.Builder
	for part := range strings.SplitSeq(path, "[") {
		if digits := strings.IndexByte(part, ']'); digits > 0 {
			part = "[" + part[digits:]
		}
		out.WriteString(part)
	}
	return out.String()
}
