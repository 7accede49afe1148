package phases

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/internal/config"
)

// A pod's revision covers the files that its flags name to be read, and no other.
func TestInputs(t *testing.T) {
	t.Parallel()
	m := provable(t)
	m.Inputs = map[string][]byte{"/etc/kubernetes/scheduler.yaml": []byte("clientConnection: {kubeconfig: /etc/kubernetes/theirs.conf}"),
		"/etc/kubernetes/theirs.conf": nil, "/var/log/scheduler.log": []byte("{}")}
	contents, err := m.contents()
	if err != nil {
		t.Fatal(err)
	}
	pod, err := schedulerPod(m)
	if err != nil {
		t.Fatal(err)
	}
	pod.Spec.Containers[0].Args = []string{"--config=/etc/kubernetes/scheduler.yaml", "--log-file=/var/log/scheduler.log"}
	addVolume(&pod.Spec, config.HostPathMount{Name: "theirs", HostPath: "/srv/theirs.conf", MountPath: "/etc/kubernetes/theirs.conf"})
	want := []string{"/etc/kubernetes/pki/kube-scheduler.crt", "/etc/kubernetes/pki/kube-scheduler.key", "/etc/kubernetes/scheduler.conf",
		"/etc/kubernetes/scheduler.yaml", "/etc/kubernetes/theirs.conf"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(inputs(pod, contents)))); diff != "" {
		t.Error(diff)
	}
}

// What an apiserver writes, or what lies beside what it reads, is no reason to start it anew; what it reads is, however it
// comes by it.
func TestChangedInputs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write := func(name, text string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("policy.yaml", "rules: []")
		write("admission.yaml", "plugins: [{name: ImagePolicyWebhook, path: /srv/api/images.yaml}]")
		write("images.yaml", "imagePolicy: {kubeConfigFile: /srv/api/images.conf}")
		write("images.conf", "users: [{user: {client-key: /srv/api/images.key}}]")
		write("images.key", "a key")
		write("large.crt", strings.Repeat("a line of a large bundle\n", 100_000))
		if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := grown(t, `apiServer:
  extraArgs:
  - {name: audit-log-path, value: /srv/api/audit.log}
  - {name: audit-policy-file, value: /srv/api/policy.yaml}
  - {name: admission-control-config-file, value: /srv/api/admission.yaml}
  - {name: oidc-ca-file, value: /srv/api/large.crt}
  - {name: token-auth-file, value: /srv/api/pipe}
  extraVolumes: [{name: srv, hostPath: `+dir+`, mountPath: /srv/api}]
`)
		for _, step := range []struct {
			name, text string
			restarts   bool
		}{
			{"audit.log", "{}\n", false},
			{"audit.log", "{}\n{}\n", false},
			{"beside.yaml", "nobody reads it", false},
			{"policy.yaml", "rules: [{level: None}]", true},
			{"images.key", "another key", true},
			{"large.crt", strings.Repeat("a line of a large bundle\n", 100_001), true},
		} {
			write(step.name, step.text)
			m := s.gather(t)
			changes, err := apiserverManifest(m)
			if err != nil || len(changes) > 0 != step.restarts {
				t.Errorf("%s has changed: %v, %v", step.name, changes, err)
			}
			if n := len(m.Inputs["/srv/api/large.crt"]); n > 100 {
				t.Errorf("%d bytes of a large file are kept", n)
			}
			if len(changes) > 0 {
				if err := s.site.Host.Commit(t.Context(), changes[0].Files...); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// A manifest that leafs alone change is read for the files that it names, whoever wrote it.
func TestInputsOfHandEdit(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte("rules: []"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.edit(t, "    - kube-apiserver\n", "    - kube-apiserver\n    - --audit-policy-file="+path+"\n", "kube-apiserver")
	s.edit(t, "  volumes:\n", "  volumes:\n  - {name: mine, hostPath: {path: "+path+"}}\n", "kube-apiserver")
	s.edit(t, "    volumeMounts:\n", "    volumeMounts:\n    - {name: mine, mountPath: "+path+"}\n", "kube-apiserver")
	m := s.living(t, func(m *Master) { m.Living.Kept = true })
	if err := m.readInputs(s.site.Host); err != nil || string(m.Inputs[path]) != "rules: []" {
		t.Errorf("read are %v, %v", m.Inputs, err)
	}
}
