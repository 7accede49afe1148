package manifests

import (
	"strings"
	"testing"
)

const podTemplate = `apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
  - name: web
    command: [{{ range .Args }}"--flag={{ . }}", {{ with . }}"--again={{ . }}", {{ end }}{{ end }}]
    {{- if .Port }}
    ports:
    - containerPort: {{ .Port }}
    {{- end }}
`

func TestRender(t *testing.T) {
	t.Parallel()
	hostile := []string{`a"b`, `a\nb`, "a\nb: c", "# no comment", "{{ .Args }}", "*,a", "é <&> \u2028", "\x7f\t"}
	pod, err := Render(podTemplate, map[string]any{"Args": hostile, "Port": 80})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range hostile {
		for j, prefix := range []string{"--flag=", "--again="} {
			if got := pod.Spec.Containers[0].Command[2*i+j]; got != prefix+want {
				t.Errorf("got %q, want %q", got, prefix+want)
			}
		}
	}
	if got := pod.Spec.Containers[0].Ports[0].ContainerPort; got != 80 {
		t.Errorf("port %d", got)
	}
}

func TestRenderErrors(t *testing.T) {
	t.Parallel()
	values := map[string]any{"Args": nil, "Port": 0}
	for name, test := range map[string]struct {
		template string
		values   any
		want     string
	}{
		"template":        {"{{ if }}", values, "parsing the template"},
		"missing value":   {podTemplate, map[string]any{"Args": nil}, `no entry for key "Port"`},
		"missing field":   {podTemplate, struct{ Args []string }{}, "can't evaluate field Port"},
		"unknown field":   {podTemplate + "  hostNetwrok: true\n", values, `unknown field "spec.hostNetwrok"`},
		"wrong case":      {podTemplate + "  hostnetwork: true\n", values, `unknown field "spec.hostnetwork"`},
		"duplicate field": {podTemplate + "kind: Pod\n", values, `key "kind" already set`},
		"wrong type":      {podTemplate + "  priority: high\n", values, "cannot unmarshal string"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Render(test.template, test.values); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
