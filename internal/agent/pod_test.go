package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// testReader knows one program and an ordinary user.
func testReader(t *testing.T) reader {
	t.Helper()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"program": 0o700, "text": 0o600} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	return reader{manifests: "/manifests", binDir: dir, self: identity{uid: 1000, gid: 1000}}
}

func TestReadKubeadmsManifest(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/kube-apiserver.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, problems := testReader(t).read("kube-apiserver.yaml", data)
	equal(t, "problems", problems, []Problem(nil))
	equal(t, "key", p.key(), "kube-system/kube-apiserver")
	equal(t, "revision", p.Revision, "0123456789abcdef")
	equal(t, "arguments", p.Args, []string{"--advertise-address=127.0.0.5", "--secure-port=6443"})
	equal(t, "mounts", p.Mounts, []mount{{"/etc/ssl/certs", "DirectoryOrCreate"}, {"/etc/kubernetes/controller-manager.conf", "FileOrCreate"}})
	equal(t, "grace", p.Grace, 30*time.Second)
	equal(t, "startup", []any{p.Startup.Delay, p.Startup.Period, p.Startup.Timeout, p.Startup.Failures},
		[]any{10 * time.Second, 10 * time.Second, 15 * time.Second, 24})
	equal(t, "defaults", []any{p.Liveness.Delay, p.Liveness.Period, p.Liveness.Timeout, p.Liveness.Failures, p.Liveness.Successes},
		[]any{time.Duration(0), 10 * time.Second, time.Second, 3, 1})
}

// Every refusal names the field as it stands in the manifest.
func TestRefusals(t *testing.T) {
	t.Parallel()
	tests := []struct{ container, spec, field string }{
		{"lifecycle: {}", "", "spec.containers[0].lifecycle"},
		{"env2: []", "", `unknown field "spec.containers[0].env2"`},
		{"stdin: true", "", "spec.containers[0].stdin"},
		{"envFrom: [{configMapRef: {name: a}}]", "", "spec.containers[0].envFrom"},
		{"resources: {limits: {cpu: 1}}", "", "spec.containers[0].resources.limits"},
		{"resources: {claims: [{name: a}]}", "", "spec.containers[0].resources.claims"},
		{"imagePullPolicy: Always", "", "spec.containers[0].imagePullPolicy"},
		{"workingDir: here", "", "spec.containers[0].workingDir"},
		{"terminationMessagePath: /a", "", "spec.containers[0].terminationMessagePath"},
		{"securityContext: {capabilities: {drop: [ALL]}}", "", "spec.containers[0].securityContext.capabilities"},
		{"securityContext: {privileged: true}", "", "spec.containers[0].securityContext.privileged"},
		{"securityContext: {runAsUser: 0}", "", "spec.containers[0].securityContext.runAsUser"},
		{"securityContext: {seccompProfile: {type: RuntimeDefault, localhostProfile: a}}", "", "spec.containers[0].securityContext.seccompProfile.localhostProfile"},
		{"ports: [{name: a, containerPort: 1, hostPort: 2}]", "", "spec.containers[0].ports[0].hostPort"},
		{"ports: [{name: a, containerPort: 1, hostIP: 127.0.0.1}]", "", "spec.containers[0].ports[0].hostIP"},
		{"livenessProbe: {grpc: {port: 1}}", "", "spec.containers[0].livenessProbe.grpc"},
		{"livenessProbe: {tcpSocket: {host: a, port: b}}", "", "spec.containers[0].livenessProbe.tcpSocket.port"},
		{"livenessProbe: {tcpSocket: {port: 1}}", "", "spec.containers[0].livenessProbe.tcpSocket.host"},
		{"livenessProbe: {successThreshold: 2, tcpSocket: {host: a, port: 1}}", "", "spec.containers[0].livenessProbe.successThreshold"},
		{"livenessProbe: {}", "", "spec.containers[0].livenessProbe"},
		{"readinessProbe: {exec: {command: [other]}}", "", "spec.containers[0].readinessProbe.exec.command[0]"},
		{"startupProbe: {periodSeconds: -1, tcpSocket: {host: a, port: 1}}", "", "spec.containers[0].startupProbe.periodSeconds"},
		{"volumeMounts: [{name: a, mountPath: /a}]", "", "spec.containers[0].volumeMounts[0].name"},
		{"volumeMounts: [{name: a, mountPath: /b}]", "volumes: [{name: a, hostPath: {path: /a}}]", "spec.containers[0].volumeMounts[0].mountPath"},
		{"volumeMounts: [{name: a, mountPath: /a, subPath: b}]", "volumes: [{name: a, hostPath: {path: /a}}]", "spec.containers[0].volumeMounts[0].subPath"},
		{"", "volumes: [{name: a, hostPath: {path: /a}}, {name: b, emptyDir: {}}]", "spec.volumes[1].emptyDir"},
		{"", "volumes: [{name: a, hostPath: {path: /a, type: Socket}}]", "spec.volumes[0].hostPath.type"},
		{"", "initContainers: [{name: a}]", "spec.initContainers"},
		{"", "dnsPolicy: ClusterFirst", "spec.dnsPolicy"},
		{"", "hostPID: true", "spec.hostPID"},
		{"", "securityContext: {fsGroup: 1}", "spec.securityContext.fsGroup"},
		{"", "securityContext: {runAsNonRoot: false, runAsGroup: 7}", "spec.securityContext.runAsGroup"},
		{"", "terminationGracePeriodSeconds: -1", "spec.terminationGracePeriodSeconds"},
		{"", "serviceAccountName: a", "spec.serviceAccountName"},
		{"", "tolerations: [{operator: Exists}]", "spec.tolerations"},
		{"", "status: {}", `unknown field "spec.status"`},
	}
	r := testReader(t)
	for _, test := range tests {
		t.Run(test.field, func(t *testing.T) {
			t.Parallel()
			_, problems := r.read("p.yaml", []byte(manifest("p", "sleep", test.container, test.spec)))
			if len(problems) != 1 || !strings.HasPrefix(problems[0].String(), test.field+": ") && !strings.Contains(problems[0].Why, test.field) {
				t.Errorf("problems %v", problems)
			}
		})
	}
}

func TestRefusedShapes(t *testing.T) {
	t.Parallel()
	whole := manifest("p", "sleep", "", "")
	tests := []struct{ name, text, want string }{
		{"two containers", whole + "  - {name: b, command: [program]}\n", "spec.containers[1]"},
		{"no container", "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {hostNetwork: true}\n", "spec.containers"},
		{"own network", strings.Replace(whole, "hostNetwork: true", "hostNetwork: false", 1), "spec.hostNetwork"},
		{"valueFrom", strings.Replace(whole, "value: sleep", "valueFrom: {fieldRef: {fieldPath: status.podIP}}", 1), "spec.containers[0].env[0].valueFrom"},
		{"our own variable", strings.Replace(whole, roleVariable, markerName, 1), "spec.containers[0].env[0].name"},
		{"no command", strings.Replace(whole, "command: [program]", "args: [program]", 1), "spec.containers[0].command[0]"},
		{"unknown program", strings.Replace(whole, "[program]", "[other]", 1), `spec.containers[0].command[0]: no program "other"`},
		{"not executable", strings.Replace(whole, "[program]", "[text]", 1), `spec.containers[0].command[0]: no program "text"`},
		{"outside", strings.Replace(whole, "[program]", "[/bin/sh]", 1), "spec.containers[0].command[0]: /bin/sh is outside"},
		{"up and outside", strings.Replace(whole, "[program]", "[../sh]", 1), "spec.containers[0].command[0]: ../sh is outside"},
		{"name", strings.Replace(whole, "name: p\n", "name: ../p\n", 1), "metadata.name"},
		{"uid", strings.Replace(whole, "  name: p\n", "  name: p\n  uid: a\n", 1), "metadata.uid"},
		{"empty", "", "holds 0 documents"},
		{"two documents", whole + "---\n" + whole, "holds 2 documents"},
		{"no YAML", "a: [", "yaml"},
		{"other kind", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p}\n", "is a ConfigMap"},
		{"twice", strings.Replace(whole, "  hostNetwork: true\n", "  hostNetwork: true\n  hostNetwork: true\n", 1), "hostNetwork"},
	}
	r := testReader(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, problems := r.read("p.yaml", []byte(test.text))
			if !slices.ContainsFunc(problems, func(p Problem) bool { return strings.Contains(p.String(), test.want) }) {
				t.Errorf("problems %v, want %q", problems, test.want)
			}
		})
	}
}

// What has no meaning for a plain process, or is what it has anyway, is accepted.
func TestAccepted(t *testing.T) {
	t.Parallel()
	r := testReader(t)
	for _, test := range []struct{ container, spec string }{
		{"resources: {requests: {cpu: 100m, memory: 1Gi}}", "priority: 2000001000\npriorityClassName: system-node-critical"},
		{"imagePullPolicy: IfNotPresent", "securityContext: {seccompProfile: {type: RuntimeDefault}, runAsUser: 1000, runAsGroup: 1000, runAsNonRoot: true}"},
		{"securityContext: {privileged: false}", "enableServiceLinks: false\nautomountServiceAccountToken: false"},
		{"ports: [{name: probe-port, containerPort: 1, hostPort: 1, protocol: TCP}]\nlivenessProbe: {tcpSocket: {host: a, port: probe-port}}", "restartPolicy: OnFailure"},
		{"readinessProbe: {successThreshold: 2, exec: {command: [program, a]}}", "volumes: [{name: a, hostPath: {path: /a, type: ''}}]"},
	} {
		_, problems := r.read("p.yaml", []byte(manifest("p", "sleep", test.container, test.spec)))
		equal(t, test.container, problems, []Problem(nil))
	}
}

func TestHashCoversWhatMakesAnotherProcess(t *testing.T) {
	t.Parallel()
	r := testReader(t)
	hash := func(file, text string) string {
		p, problems := r.read(file, []byte(text))
		equal(t, "problems", problems, []Problem(nil))
		return p.Hash
	}
	whole := manifest("p", "sleep", "", "")
	same := hash("p.yaml", whole)
	equal(t, "comment", hash("p.yaml", "# hello\n"+whole), same)
	for name, other := range map[string]string{
		"file":       hash("q.yaml", whole),
		"annotation": hash("p.yaml", strings.Replace(whole, "r-p", "r-q", 1)),
		"argument":   hash("p.yaml", manifest("p", "sleep", "args: [a]", "")),
	} {
		if other == same {
			t.Errorf("another %s has the same hash", name)
		}
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	env := map[string]string{"A": "1", "B": "$(A)", "": "empty"}
	for text, want := range map[string]string{
		"": "", "plain": "plain", "$(A)": "1", "x$(A)$(A)y": "x11y", "$(B)": "$(A)", "$(C)": "$(C)",
		"$$": "$", "$$(A)": "$(A)", "$$$(A)": "$1", "$(A": "$(A", "$": "$", "$A": "$A", "a$": "a$", "$()": "empty",
	} {
		equal(t, fmt.Sprintf("%q", text), expand(text, env), want)
	}
}

func TestMountPrepare(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := 0
	fresh := func() string { missing++; return filepath.Join(dir, "new", fmt.Sprint(missing)) }
	for _, test := range []struct {
		m  mount
		ok bool
	}{
		{mount{fresh(), ""}, true},
		{mount{fresh(), "Directory"}, false},
		{mount{fresh(), "File"}, false},
		{mount{fresh(), "FileOrCreate"}, false}, // its directory is not made
		{mount{fresh(), "DirectoryOrCreate"}, true},
		{mount{fresh(), "FileOrCreate"}, true}, // now it is there
		{mount{dir, "Directory"}, true},
		{mount{dir, "File"}, false},
		{mount{dir, "FileOrCreate"}, false},
		{mount{file, "File"}, true},
		{mount{file, "FileOrCreate"}, true},
		{mount{file, "Directory"}, false},
		{mount{file, "DirectoryOrCreate"}, false},
		{mount{file, ""}, true},
	} {
		if err := test.m.prepare(); (err == nil) != test.ok {
			t.Errorf("%+v: %v", test.m, err)
		}
	}
	data, _ := os.ReadFile(file)
	equal(t, "file", string(data), "kept")
}

// More seconds than a duration holds are no negative time, in which a container would be killed at once.
func TestGraceIsBounded(t *testing.T) {
	t.Parallel()
	if many := int64(1) << 40; grace(&many, 0) < 1<<40 {
		t.Errorf("the grace is %s", grace(&many, 0))
	}
}
