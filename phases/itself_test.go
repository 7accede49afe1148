package phases

import (
	"crypto/x509"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// layNode lays what a master called cp-1, on a machine of another name, has on its disk.
func layNode(t *testing.T, without ...string) *host.Host {
	t.Helper()
	c := pkiConfig(func(c *config.Config) {
		c.Node.Registration.Name, c.Node.Registration.CRISocket = "cp-1", "unix:///run/other.sock"
		c.Advertise = netip.MustParseAddrPort("10.0.0.1:7443")
		c.Paths.PKI, c.Paths.EtcdData = "/srv/pki", "/srv/etcd"
	})
	m := Master{Config: c, Facts: Facts{PKI: constantPKI(c)}}
	client, err := certs.Issue(certs.Spec{CommonName: nodeUser(c), Organization: []string{"system:nodes"}, Validity: c.LeafValidity, Algorithm: certs.ECDSAP256,
		Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, nil, pkiNow)
	if err != nil {
		t.Fatal(err)
	}
	key, err := client.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	conf, err := kubeconfig(kubeletConf, c, client, client)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		kubeletConfPath(c): conf, kubeletClientPath(c): append(client.CertPEM(), key...),
		filepath.Join(c.Paths.Kubelet, "instance-config.yaml"): []byte("containerRuntimeEndpoint: \"unix:///run/other.sock\"\n"),
	}
	for component, render := range map[string]func(Master) (*corev1.Pod, error){"etcd": etcdPod, "kube-apiserver": apiserverPod} {
		pod, err := render(m)
		if err != nil {
			t.Fatal(err)
		}
		if files[manifestPath(m, component)], err = manifests.Encode(pod); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range without {
		delete(files, path)
	}
	root := t.TempDir()
	for path, data := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return host.Open(root)
}

// What a machine is as a node comes from what it has, not from its host name and its default route.
func TestItself(t *testing.T) {
	t.Parallel()
	fresh := config.Machine{Hostname: "host", DefaultIP: netip.MustParseAddr("192.0.2.1"), CRISockets: []string{"unix:///a", "unix:///b"}}
	master := config.Machine{Hostname: "host", DefaultIP: fresh.DefaultIP, CRISockets: []string{"unix:///run/other.sock"},
		Node: "cp-1", Advertise: netip.MustParseAddrPort("10.0.0.1:7443"), PKI: "/srv/pki", EtcdData: "/srv/etcd"}
	worker := config.Machine{Hostname: "host", DefaultIP: fresh.DefaultIP, CRISockets: master.CRISockets, Node: "cp-1"}
	const pods, conf, client = "/etc/kubernetes/manifests/", "/etc/kubernetes/kubelet.conf", "/var/lib/kubelet/pki/kubelet-client-current.pem"
	for name, tt := range map[string]struct {
		host *host.Host
		want config.Machine
	}{
		"nothing yet":            {host.Open(t.TempDir()), fresh},
		"a master":               {layNode(t), master},
		"a worker":               {layNode(t, pods+"etcd.yaml", pods+"kube-apiserver.yaml"), worker},
		"its certificate is off": {layNode(t, conf, client), master},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, Itself(tt.host, fresh), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// A node whose name can not be read is not taken for one that is called as its host.
func TestNodeWithoutName(t *testing.T) {
	t.Parallel()
	h := layNode(t, "/etc/kubernetes/manifests/etcd.yaml", "/var/lib/kubelet/pki/kubelet-client-current.pem")
	m := Master{Config: pkiConfig(), Facts: Facts{Living: &Living{}}}
	if err := m.read(h, m.Config); err != nil {
		t.Fatal(err)
	}
	if _, err := m.here(); err == nil || !strings.Contains(err.Error(), "kubelet.conf does not tell what this node is called") {
		t.Errorf("error %v", err)
	}
}

// The documents that a verb makes of nothing have what the machine is.
func TestDefaultsOfItself(t *testing.T) {
	t.Parallel()
	machine := Itself(layNode(t), config.Machine{Hostname: "host", DefaultIP: netip.MustParseAddr("192.0.2.1")})
	first, _, err := config.Load(nil, "", config.Overrides{KubernetesVersion: "v1.36.3"}, machine)
	if err != nil {
		t.Fatal(err)
	}
	living, _, err := config.LoadUpgrade(nil, "", config.UpgradeOverrides{Verb: "renew"}, machine)
	if err != nil {
		t.Fatal(err)
	}
	left, _, err := config.LoadReset(nil, "", config.ResetOverrides{}, machine)
	if err != nil {
		t.Fatal(err)
	}
	for verb, c := range map[string]config.Config{"init": first, "renew": living, "reset": left} {
		if r := c.Node.Registration; r.Name != "cp-1" || r.CRISocket != "unix:///run/other.sock" {
			t.Errorf("%s: node %s at %s", verb, r.Name, r.CRISocket)
		}
		if c.Paths.PKI != "/srv/pki" || c.Paths.EtcdData != "/srv/etcd" { // before anything is read, compared and drawn
			t.Errorf("%s: certificates in %s, data in %s", verb, c.Paths.PKI, c.Paths.EtcdData)
		}
	}
	if first.Advertise != machine.Advertise {
		t.Errorf("init: %s", first.Advertise)
	}
}
