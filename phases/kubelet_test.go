package phases

import (
	"bytes"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

const socket = "unix:///run/containerd/containerd.sock"

// freshMaster is node-1 on a machine where everything is as it should be and nothing was ever done.
func freshMaster(change ...func(*Master)) Master {
	c := pkiConfig()
	c.Node.Registration.CRISocket = socket
	m := Master{Config: c, Facts: Facts{Now: pkiNow, PKI: constantPKI(c), Files: map[string]host.File{}, Manifests: map[string][]byte{}}}
	m.PKI.KubeletClient = []byte("certificate and key")
	delete(m.PKI.Pairs, kubeletServing) // is the kubelet's own; TestKubeletServes has one
	m.Survey = host.Survey{
		Hostname: "node-1", CPUs: 2, MemoryMiB: 4096, Kernel: "6.1.0-18-amd64", Cgroup: host.Cgroup{Version: 2}, IPForward4: true,
		Systemd: true, Service: host.Service{Installed: true, Enabled: true},
		Runtime:   host.Runtime{Name: "containerd", Version: "v2.2.0", Detects: true},
		Listeners: map[uint16][]host.Listener{}, Dirs: map[string]host.Dir{},
	}
	for _, dir := range ownDirs(c) {
		m.Survey.Dirs[dir] = host.Dir{FreeBytes: 100 << 30}
	}
	for _, f := range change {
		f(&m)
	}
	return m
}

// kubeletDocument is what kubeadm v1.36.3 writes for the same node, without its zeros.
const kubeletDocument = `apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  anonymous:
    enabled: false
  webhook:
    enabled: true
  x509:
    clientCAFile: /etc/kubernetes/pki/ca.crt
authorization:
  mode: Webhook
cgroupDriver: systemd
clusterDNS:
- 10.96.0.10
clusterDomain: cluster.local
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
healthzBindAddress: 127.0.0.1
healthzPort: 10248
kind: KubeletConfiguration
rotateCertificates: true
staticPodPath: /etc/kubernetes/manifests
`

func TestKubeletFiles(t *testing.T) {
	t.Parallel()
	files, err := kubeletFiles(freshMaster())
	if err != nil {
		t.Fatal(err)
	}
	want := []host.File{
		{Path: "/var/lib/kubelet/kubeadm-flags.env", Mode: 0o644, Data: []byte("KUBELET_KUBEADM_ARGS=\"\"\n")},
		{Path: "/var/lib/kubelet/instance-config.yaml", Mode: 0o644, Data: []byte("containerRuntimeEndpoint: \"" + socket + "\"\n")},
		{Path: "/var/lib/kubelet/config.yaml", Mode: 0o644, Data: []byte(kubeletDocument)},
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestKubeletArgs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		hostname string
		extra    []config.Arg
		want     []string
	}{
		"hostname":        {"node-1", nil, nil},
		"another name":    {"host", nil, []string{"--hostname-override=node-1"}},
		"extra":           {"host", []config.Arg{{Name: "node-ip", Value: "10.0.0.1"}, {Name: "a", Value: ""}}, []string{"--hostname-override=node-1", "--node-ip=10.0.0.1", "--a="}},
		"extra overrides": {"host", []config.Arg{{Name: "hostname-override", Value: "x"}}, []string{"--hostname-override=x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := freshMaster()
			m.Survey.Hostname, m.Node.Registration.KubeletExtraArgs = tt.hostname, tt.extra
			if diff := cmp.Diff(tt.want, kubeletArgs(m)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func patchFile(t *testing.T, name, content string) manifests.PatchFile {
	t.Helper()
	f, err := manifests.ParsePatchFile(name, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestKubeletConfiguration shows who has the last word: node over patches over document over defaults.
func TestKubeletConfiguration(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*Master)
		want   map[string]any // beside the defaults; nil: taken out
	}{
		"document": {func(m *Master) {
			m.Config.Kubelet = map[string]any{"failCgroupV1": false, "cgroupDriver": "cgroupfs", "clusterDNS": []any{"1.2.3.4"}, "clusterDomain": nil,
				"authentication": map[string]any{"webhook": map[string]any{"cacheTTL": "1m"}}, "containerRuntimeEndpoint": "unix:///else"}
		}, map[string]any{"failCgroupV1": false, "cgroupDriver": "cgroupfs", "clusterDNS": []any{"1.2.3.4"}, "authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false}, "webhook": map[string]any{"enabled": true, "cacheTTL": "1m"}, "x509": map[string]any{"clientCAFile": "/etc/kubernetes/pki/ca.crt"}}}},
		"patches": {func(m *Master) {
			m.Config.Kubelet = map[string]any{"maxPods": 100}
			m.Patches = []manifests.PatchFile{
				patchFile(t, "etcd.yaml", "maxPods: 1"),
				patchFile(t, "kubeletconfiguration0.yaml", "maxPods: 200\ncontainerRuntimeEndpoint: unix:///else"),
				patchFile(t, "kubeletconfiguration1+json.json", `[{"op":"remove","path":"/cgroupDriver"}]`)}
		}, map[string]any{"maxPods": 200.0, "cgroupDriver": nil}},
		"systemd-resolved": {func(m *Master) { m.Survey.Resolved = true }, map[string]any{"resolvConf": "/run/systemd/resolve/resolv.conf"}},
		"IPv6": {func(m *Master) { m.Services = []netip.Prefix{netip.MustParsePrefix("fd00:1::/112")} },
			map[string]any{"clusterDNS": []any{"fd00:1::a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := kubeletConfiguration(freshMaster(tt.change))
			if err != nil {
				t.Fatal(err)
			}
			var want map[string]any
			if err := yaml.Unmarshal([]byte(kubeletDocument), &want); err != nil {
				t.Fatal(err)
			}
			maps.Copy(want, tt.want)
			maps.DeleteFunc(want, func(_ string, v any) bool { return v == nil })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestKubeletConfigurationBadPatch(t *testing.T) {
	t.Parallel()
	m := freshMaster()
	m.Patches = []manifests.PatchFile{patchFile(t, "kubeletconfiguration+json.json", `[{"op":"remove","path":"/gone"}]`)}
	if _, err := kubeletStart(m); err == nil {
		t.Error("no error")
	}
}

// summary is a plan's changes, a line each.
func lines(t *testing.T, changes []Change, err error) []string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, c := range changes {
		all = append(all, c.String())
	}
	return all
}

// apply makes the disk of m what the changes make it.
func applied(m Master, changes []Change) {
	for _, c := range changes {
		for _, f := range c.Files {
			m.Files[f.Path] = f
		}
	}
	for _, f := range m.Files {
		if target, ok := m.Files[filepath.Join(filepath.Dir(f.Path), f.Link)]; ok && f.Link != "" {
			f.Data = target.Data
			m.Files[f.Path] = f
		}
	}
	for dir := range m.Survey.Dirs {
		m.Survey.Dirs[dir] = host.Dir{Exists: true}
	}
}

func TestKubeletPlans(t *testing.T) {
	t.Parallel()
	m := freshMaster()
	identity, err := kubeletIdentity(m)
	if diff := cmp.Diff([]string{
		"create /var/lib/kubelet/ (0700)",
		"create /var/lib/kubelet/pki/kubelet-client-" + pkiNow.Format("2006-01-02-15-04-05") + ".pem (0600) and kubelet-client-current.pem",
		"create /etc/kubernetes/kubelet.conf (0600)",
	}, lines(t, identity, err)); diff != "" {
		t.Errorf("kubeletIdentity (-want +got)\n%s", diff)
	}
	start, err := kubeletStart(m)
	if diff := cmp.Diff([]string{
		"create /etc/kubernetes/manifests/ (0700)",
		"create /var/lib/kubelet/kubeadm-flags.env (0644)",
		"create /var/lib/kubelet/instance-config.yaml (0644)",
		"create /var/lib/kubelet/config.yaml (0644)",
		"start kubelet",
	}, lines(t, start, err)); diff != "" {
		t.Errorf("kubeletStart (-want +got)\n%s", diff)
	}

	// Done once, there is nothing left to do but to start a kubelet that does not run, or runs with older files.
	applied(m, slices.Concat(identity, start))
	for _, tt := range []struct {
		alive, stale bool
		want         []string
	}{
		{alive: true},
		{want: []string{"start kubelet"}},
		{alive: true, stale: true, want: []string{"start kubelet"}},
	} {
		m.Alive, m.Survey.Service.Stale = tt.alive, tt.stale
		again, err := kubeletIdentity(m)
		startAgain, err2 := kubeletStart(m)
		if diff := cmp.Diff(tt.want, append(lines(t, again, err), lines(t, startAgain, err2)...)); diff != "" {
			t.Errorf("alive %v, stale %v (-want +got)\n%s", tt.alive, tt.stale, diff)
		}
	}
}

func TestKubeletPlanOfSandbox(t *testing.T) {
	t.Parallel()
	m := freshMaster(func(m *Master) { m.Rootless = true })
	start, err := kubeletStart(m)
	if diff := cmp.Diff([]string{"create /etc/kubernetes/manifests/ (0700)", "start agent"}, lines(t, start, err)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestKubeletClientFileReplaced: a file in the link's place, as people copy it, becomes a link again.
func TestKubeletClientFileReplaced(t *testing.T) {
	t.Parallel()
	m := freshMaster()
	current := kubeletClientPath(m.Config)
	m.Files[current] = host.File{Path: current, Mode: 0o600, Data: m.PKI.KubeletClient}
	files := kubeletClientFiles(m)
	if len(files) != 2 || files[1].Link != filepath.Base(files[0].Path) || !bytes.Equal(files[0].Data, m.PKI.KubeletClient) {
		t.Errorf("got %v", files)
	}
}

// TestKubeletServes: the kubelet gets a serving certificate unless it has one, or has been told of another way.
func TestKubeletServes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*Master)
		want   int
	}{
		"fresh":               {func(*Master) {}, 1},
		"signed by requests":  {func(m *Master) { m.Config.Kubelet = map[string]any{"serverTLSBootstrap": true} }, 0},
		"the user's own":      {func(m *Master) { m.Config.Kubelet = map[string]any{"tlsCertFile": "/x.crt"} }, 0},
		"no kubelet":          {func(m *Master) { m.Rootless = true }, 0},
		"the kubelet has one": {func(m *Master) { applied(*m, mustChange(t, kubeletServes, *m)) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := freshMaster(func(m *Master) { m.PKI = drawPKI(t, m.Config) }, tt.change)
			if changes := mustChange(t, kubeletServes, m); len(changes) != tt.want {
				t.Errorf("%v, want %d changes", changes, tt.want)
			}
		})
	}
}

func mustChange(t *testing.T, want func(Master) ([]Change, error), m Master) []Change {
	t.Helper()
	changes, err := want(m)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}
