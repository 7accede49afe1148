package manifests

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const edited = `# by hand
apiVersion: v1
kind: Pod
metadata:
  name: etcd
  namespace: kube-system
  annotations: {tripod.dev/revision: "0123456789abcdef", a: "1"}
spec:
  containers:
  - name: etcd
    image: etcd:1
    command: [etcd, --a, --v=3]
    env: [{name: HTTPS_PROXY, value: "http://me:secret@proxy"}]
    resources: {limits: {memory: 1Gi}}
    startupProbe: {failureThreshold: 24, httpGet: {port: 2381, path: /readyz}}
  hostAliases: [{ip: 192.0.2.1}]
`

// Whose timeouts are others, or who writes the same in other words, has the same running.
func TestContent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		other string
		same  bool
	}{
		"itself":             {edited, true},
		"another revision":   {strings.Replace(edited, "0123456789abcdef", "f", 1), true},
		"no revision":        {strings.Replace(edited, `tripod.dev/revision: "0123456789abcdef", `, "", 1), true},
		"another patience":   {strings.Replace(edited, "failureThreshold: 24", "failureThreshold: 60", 1), true},
		"other words":        {strings.Replace(edited, "{name: HTTPS_PROXY, ", "{\"name\": \"HTTPS_PROXY\", ", 1), true},
		"another flag":       {strings.Replace(edited, "--v=3", "--v=4", 1), false},
		"another label":      {strings.Replace(edited, `a: "1"`, `a: "2"`, 1), false},
		"another probe":      {strings.Replace(edited, "/readyz", "/livez", 1), false},
		"cut off":            {edited[:strings.Index(edited, "  containers:")+14], false},
		"nothing":            {"", false},
		"no document at all": {"\t", false},
	} {
		if same := Content([]byte(edited)) == Content([]byte(tt.other)); same != tt.same {
			t.Errorf("%s: %v", name, same)
		}
	}
}

func TestStatements(t *testing.T) {
	t.Parallel()
	want := []string{
		`apiVersion: "v1"`, `kind: "Pod"`, `metadata.annotations.a: "1"`, `metadata.name: "etcd"`, `metadata.namespace: "kube-system"`,
		"etcd", "--a", "--v=3", "spec.containers[etcd].env[HTTPS_PROXY].name", "spec.containers[etcd].env[HTTPS_PROXY].value",
		`spec.containers[etcd].image: "etcd:1"`, `spec.containers[etcd].name: "etcd"`, `spec.containers[etcd].resources.limits.memory: "1Gi"`,
		`spec.containers[etcd].startupProbe.httpGet.path: "/readyz"`, `spec.containers[etcd].startupProbe.httpGet.port: 2381`,
		`spec.hostAliases[0].ip: "192.0.2.1"`,
	}
	if diff := cmp.Diff(want, Statements([]byte(edited))); diff != "" {
		t.Error(diff)
	}
	if got := Statements([]byte("- a")); got != nil {
		t.Errorf("no manifest says %v", got)
	}
}
