package phases

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/manifests"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A podCase is a configuration whose pods have golden files: default.yaml, and per case what differs from it.
type podCase struct {
	name      string
	documents string
	overrides config.Overrides
	// binaries is where a sandbox's master has its programs.
	binaries string
	facts    func(*Facts)
}

const clusterDocument = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"

func podCases() []podCase {
	return []podCase{
		{name: "default"},
		{name: "ipv6", overrides: config.Overrides{AdvertiseAddress: "fd00::1", ServiceCIDR: "fd00:1::/112", PodNetworkCIDR: "fd00:2::/56"}},
		{name: "dual-stack", overrides: config.Overrides{ServiceCIDR: "10.96.0.0/16,fd00:1::/112", PodNetworkCIDR: "10.244.0.0/16,fd00:2::/56"}},
		{name: "old-etcd", documents: "etcd:\n  local:\n    imageTag: 3.5.24-0\n"},
		{name: "extras", documents: extrasDocument, facts: func(f *Facts) {
			f.ProxyEnv = []corev1.EnvVar{{Name: "HTTPS_PROXY", Value: "http://proxy:3128"}, {Name: "NO_PROXY", Value: "10.0.0.0/8"}}
		}},
		{name: "addresses", documents: addressesDocument},
		{name: "patches", facts: func(f *Facts) { f.Patches = patchFiles() }},
		{name: "external-ca", facts: func(f *Facts) { f.PKI.Pairs[clusterCA] = certs.Pair{Cert: f.PKI.Pairs[clusterCA].Cert} }},
		{name: "sandbox", overrides: config.Overrides{Root: "/tmp/box", Loopback: netip.MustParseAddr("127.3.0.1"), AdvertiseAddress: "127.3.0.1"},
			binaries: `/opt/the "components"`, facts: func(f *Facts) { f.Rootless = true }},
	}
}

// Every kind of extra: a default replaced, a flag given twice, one that is new, a default volume replaced, a new one.
const extrasDocument = `clusterName: prod
apiServer:
  extraArgs:
  - {name: service-account-issuer, value: https://one.example}
  - {name: service-account-issuer, value: https://kubernetes.default.svc.cluster.local}
  - {name: audit-log-path, value: "-"}
  - {name: authorization-config, value: /etc/kubernetes/authorization/config.yaml}
  extraVolumes:
  - {name: authorization, hostPath: /srv/authorization, mountPath: /etc/kubernetes/authorization, readOnly: true, pathType: Directory}
  - {name: ca-certs, hostPath: /srv/ca, mountPath: /etc/ssl/certs}
  extraEnvs:
  - {name: NO_PROXY, value: "*"}
controllerManager:
  extraArgs:
  - {name: node-cidr-mask-size, value: "20"}
  - {name: v, value: "4"}
scheduler:
  extraVolumes:
  - {name: config, hostPath: /srv/scheduler.yaml, mountPath: /etc/kubernetes/scheduler.yaml, pathType: File}
etcd:
  local:
    dataDir: "/data/etcd: #1"
    extraArgs:
    - {name: quota-backend-bytes, value: "8589934592"}
    - {name: snapshot-count, value: "5000"}
    extraEnvs:
    - {name: GODEBUG, value: madvdontneed=1}
`

// Components that listen elsewhere are probed there.
const addressesDocument = `apiServer:
  extraArgs:
  - {name: secure-port, value: "7443"}
controllerManager:
  extraArgs:
  - {name: bind-address, value: 0.0.0.0}
  - {name: flex-volume-plugin-dir, value: /opt/plugins}
scheduler:
  extraArgs:
  - {name: bind-address, value: 10.0.0.1}
  - {name: secure-port, value: "20259"}
etcd:
  local:
    extraArgs:
    - {name: listen-metrics-urls, value: "https://0.0.0.0:4001,http://127.0.0.1:2381"}
    - {name: advertise-client-urls, value: "https://10.0.0.1:12379"}
    - {name: listen-client-urls, value: "https://0.0.0.0:12379"}
`

func patchFiles() []manifests.PatchFile {
	var files []manifests.PatchFile
	for name, patch := range map[string]string{
		"etcd.yaml":                         "spec:\n  containers:\n  - name: etcd\n    resources:\n      limits: {memory: 2Gi}",
		"kube-apiserver0+merge.yaml":        `metadata: {annotations: {team: blue}}`,
		"kube-apiserver1+json.json":         `[{"op": "replace", "path": "/spec/containers/0/livenessProbe/periodSeconds", "value": 30}]`,
		"kube-scheduler+strategic.json":     `{"spec": {"priority": null, "priorityClassName": "system-cluster-critical"}}`,
		"kubeletconfiguration+merge.yaml":   "maxPods: 50",
		"kube-controller-manager+json.yaml": "- {op: add, path: /spec/containers/0/command/-, value: --v=6}",
	} {
		f, err := manifests.ParsePatchFile(name, []byte(patch))
		if err != nil {
			panic(err)
		}
		files = append(files, f)
	}
	return files
}

func TestPods(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v1.34.4", "v1.35.4", "v1.36.3"} {
		defaults := renderPods(t, podCases()[0].master(t, version))
		for _, c := range podCases() {
			t.Run(version+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				got, file := renderPods(t, c.master(t, version)), c.name+".yaml"
				if c.name != "default" {
					got, file = []byte(manifests.Diff("default.yaml", defaults, got, contextLines)), c.name+".diff"
				}
				golden(t, filepath.Join("testdata", "pods", version, file), got)
			})
		}
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s differs (-want +got), go test -update accepts:\n%s", path, diff)
	}
}

// renderPods are the four pods as one stream of documents.
func renderPods(t *testing.T, m Master) []byte {
	t.Helper()
	var all bytes.Buffer
	for _, render := range []func(Master) (*corev1.Pod, error){etcdPod, apiserverPod, controllerManagerPod, schedulerPod} {
		pod, err := render(m)
		if err != nil {
			t.Fatal(err)
		}
		data, err := manifests.Encode(pod)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "---\n%s", data)
	}
	return all.Bytes()
}

// master is the case's master of a version: node-1 at 10.0.0.1, with keys that are always the same.
func (c podCase) master(t *testing.T, version string) Master {
	t.Helper()
	o := c.overrides
	o.KubernetesVersion, o.NodeName = version, "node-1"
	machine := config.Machine{Hostname: "node-1", DefaultIP: netip.MustParseAddr("10.0.0.1"), CRISockets: []string{"unix:///run/containerd/containerd.sock"}}
	loaded, _, err := config.Load([]byte(clusterDocument+c.documents), c.name, o, machine)
	if err != nil {
		t.Fatal(err)
	}
	loaded.Paths.Binaries = c.binaries
	m := Master{Config: loaded, Facts: Facts{PKI: constantPKI(loaded)}}
	m.Survey.CABundleDirs = []string{"/etc/ssl/certs", "/etc/ca-certificates", "/usr/share/ca-certificates"}
	if c.facts != nil {
		c.facts(&m.Facts)
	}
	return m
}

// constantPKI has pairs that are good for nothing but their names and digests.
func constantPKI(c config.Config) PKI {
	p := PKI{Pairs: map[string]certs.Pair{}, Kubeconfigs: map[string][]byte{}}
	for _, r := range pkiRequests(c) {
		key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
		p.Pairs[r.Name] = certs.Pair{Cert: &x509.Certificate{Raw: []byte(r.Name), PublicKey: key.Public()}, Key: key}
		if filepath.Ext(r.Name) == ".conf" {
			p.Kubeconfigs[r.Name] = []byte(r.Name)
		}
	}
	return p
}

// Templates list flags by name, as kubeadm does; there is no code that would sort them.
func TestFlagsAreSorted(t *testing.T) {
	t.Parallel()
	for _, c := range podCases() {
		if c.documents != "" || c.name == "patches" {
			continue
		}
		for _, render := range []func(Master) (*corev1.Pod, error){etcdPod, apiserverPod, controllerManagerPod, schedulerPod} {
			pod, err := render(c.master(t, "v1.36.3"))
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, arg := range pod.Spec.Containers[0].Command[1:] {
				name, _, _ := strings.Cut(arg, "=")
				names = append(names, name)
			}
			if !slices.IsSorted(names) {
				t.Errorf("%s: %s", pod.Name, names)
			}
		}
	}
}

// What tripod itself tells a component has to be known to it, too.
func TestFlagsAreKnown(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v1.34.4", "v1.35.4", "v1.36.3"} {
		for _, c := range podCases() {
			m := c.master(t, version)
			for _, render := range []func(Master) (*corev1.Pod, error){etcdPod, apiserverPod, controllerManagerPod, schedulerPod} {
				pod, err := render(m)
				if err != nil {
					t.Fatal(err)
				}
				of := m.Version
				if pod.Name == "etcd" {
					of = m.EtcdVersion
				}
				for _, err := range manifests.CheckArgs(pod.Name, of, argsOf(pod)) {
					t.Errorf("%s %s: %v", version, c.name, err)
				}
			}
		}
	}
}

func argsOf(pod *corev1.Pod) []config.Arg {
	var args []config.Arg
	for _, arg := range pod.Spec.Containers[0].Command[1:] {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		args = append(args, config.Arg{Name: name, Value: value})
	}
	return args
}
