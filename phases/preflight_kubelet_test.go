package phases

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// A kubelet that would not run what is written is found before anything is: both directories are named.
func TestStaticPodPath(t *testing.T) {
	t.Parallel()
	cluster := func(m *Master) { m.Config.Kubelet = map[string]any{"staticPodPath": "/srv/pods"} }
	living := func(m *Master) {
		m.Living = &Living{}
		m.Manifests["kube-apiserver.yaml"] = []byte("kind: Pod")
		m.Survey.Kubelet.Manifests = m.Paths.Manifests
	}
	for name, tt := range map[string]struct {
		change []func(*Master)
		look   func(Master) []finding
		want   string
	}{
		"as it is": {nil, staticPods, ""},
		"another":  {[]func(*Master){cluster}, staticPods, "/srv/pods by its configuration"},
		"none":     {[]func(*Master){func(m *Master) { m.Config.Kubelet = map[string]any{"staticPodPath": ""} }}, staticPods, "no directory by its configuration"},
		"patched": {[]func(*Master){func(m *Master) {
			m.Patches = []manifests.PatchFile{patchFile(t, "kubeletconfiguration.yaml", "staticPodPath: /srv/pods")}
		}}, staticPods, "/srv/pods by its configuration"},
		"by a flag": {[]func(*Master){func(m *Master) {
			m.Node.Registration.KubeletExtraArgs = []config.Arg{{Name: "pod-manifest-path", Value: "/srv/pods"}}
		}}, staticPods, "/srv/pods by the flag --pod-manifest-path"},
		"a worker":                {[]func(*Master){cluster}, staticPodsHere, ""},
		"a living master":         {[]func(*Master){living, laidKubelet}, staticPodsHere, ""},
		"about to look elsewhere": {[]func(*Master){living, laidKubelet, cluster}, staticPodsHere, "/srv/pods by its configuration"},
		"certificates alone":      {[]func(*Master){living, laidKubelet, cluster, func(m *Master) { m.Living.Kept = true }}, staticPodsHere, ""},
		"looks elsewhere":         {[]func(*Master){living, laidKubelet, func(m *Master) { m.Survey.Kubelet.Manifests = "/run/pods" }}, staticPodsHere, "/run/pods by what it runs with"},
		"not to be read":          {[]func(*Master){living, laidKubelet, func(m *Master) { m.Survey.KubeletErr = errors.New("read config.yaml: no YAML") }}, staticPodsHere, "read config.yaml: no YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := tt.look(freshMaster(tt.change...))
			if (len(found) > 0) != (tt.want != "") || tt.want != "" && !strings.Contains(found[0].problem, tt.want) {
				t.Errorf("found %v, want %q", found, tt.want)
			}
		})
	}
}

// laidKubelet has the kubelet's files on disk.
func laidKubelet(m *Master) {
	files, err := kubeletFiles(*m)
	if err != nil {
		panic(err)
	}
	for _, f := range files {
		m.Files[f.Path] = f
	}
}

// The check is among those of init and join, and of the verbs that change a master.
func TestStaticPodPathIsLookedAt(t *testing.T) {
	t.Parallel()
	m := freshMaster(laidKubelet, func(m *Master) { m.Config.Kubelet = map[string]any{"staticPodPath": "/srv/pods"} })
	m.Survey.Kubelet = host.KubeletConfig{Manifests: "/srv/pods"}
	_, err := preflight(m)
	wantFinding(t, err)
	m.Living = &Living{}
	m.Manifests["kube-apiserver.yaml"] = []byte("kind: Pod")
	_, err = mayChange(m)
	wantFinding(t, err)
}

func wantFinding(t *testing.T, err error) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(errorText(err)), "\n")
	if !slices.ContainsFunc(lines, func(l string) bool {
		return strings.Contains(l, "["+staticPodsID+"]") && strings.Contains(l, "/etc/kubernetes/manifests")
	}) {
		t.Errorf("error %v", err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
