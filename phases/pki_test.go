package phases

import (
	"crypto/x509"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
)

var pkiNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// pkiConfig is a defaulted configuration, changed by the functions.
func pkiConfig(change ...func(*config.Config)) config.Config {
	c := config.Config{
		Version:      config.Version{Major: 1, Minor: 36, Patch: 3},
		Advertise:    netip.MustParseAddrPort("10.0.0.1:6443"),
		Loopback:     netip.MustParseAddr("127.0.0.1"),
		Endpoint:     "10.0.0.1:6443",
		Services:     []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12")},
		LeafValidity: 8760 * time.Hour,
		CAValidity:   87600 * time.Hour,
		Paths:        config.PathsUnder("/"),
	}
	c.Node.Registration.Name = "node-1"
	c.Cluster.ClusterName = "kubernetes"
	c.Cluster.Networking.DNSDomain = "cluster.local"
	c.Cluster.EncryptionAlgorithm = "ECDSA-P256"
	c.Cluster.Etcd.Local = &config.LocalEtcd{}
	for _, f := range change {
		f(&c)
	}
	return c
}

// row is what a certificate of the table says.
type row struct {
	CN, O, Issuer string
	DNS, IPs      []string
	Usages        []x509.ExtKeyUsage
	KeyUsage      x509.KeyUsage
	CA            bool
	Valid         [2]time.Time
}

func rowOf(p certs.Pair) row {
	r := row{
		CN: p.Cert.Subject.CommonName, Issuer: p.Cert.Issuer.CommonName, DNS: p.Cert.DNSNames, Usages: p.Cert.ExtKeyUsage,
		KeyUsage: p.Cert.KeyUsage, CA: p.Cert.IsCA, Valid: [2]time.Time{p.Cert.NotBefore, p.Cert.NotAfter},
	}
	if len(p.Cert.Subject.Organization) > 0 {
		r.O = p.Cert.Subject.Organization[0]
	}
	for _, ip := range p.Cert.IPAddresses {
		r.IPs = append(r.IPs, ip.String())
	}
	return r
}

// TestPKITable is the table of kubeadm's certificates, and ours, row by row.
func TestPKITable(t *testing.T) {
	t.Parallel()
	client := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	server := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	etcdIPs := []string{"10.0.0.1", "127.0.0.1", "::1"}
	want := map[string]row{
		"ca":             {CN: "kubernetes", Issuer: "kubernetes", DNS: []string{"kubernetes"}, CA: true},
		"front-proxy-ca": {CN: "front-proxy-ca", Issuer: "front-proxy-ca", DNS: []string{"front-proxy-ca"}, CA: true},
		"etcd/ca":        {CN: "etcd-ca", Issuer: "etcd-ca", DNS: []string{"etcd-ca"}, CA: true},
		"apiserver": {CN: "kube-apiserver", Issuer: "kubernetes", Usages: server, IPs: []string{"10.96.0.1", "10.0.0.1"},
			DNS: []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "node-1"}},
		"apiserver-kubelet-client": {CN: "kube-apiserver-kubelet-client", Issuer: "kubernetes", Usages: client},
		"kube-controller-manager": {CN: "kube-controller-manager", Issuer: "kubernetes", Usages: server,
			DNS: []string{"kube-controller-manager", "localhost"}, IPs: []string{"127.0.0.1", "::1"}},
		"kube-scheduler": {CN: "kube-scheduler", Issuer: "kubernetes", Usages: server,
			DNS: []string{"kube-scheduler", "localhost"}, IPs: []string{"127.0.0.1", "::1"}},
		"kubelet":                 {CN: "node-1", Issuer: "kubernetes", Usages: server, DNS: []string{"node-1"}, IPs: []string{"10.0.0.1"}},
		"front-proxy-client":      {CN: "front-proxy-client", Issuer: "front-proxy-ca", Usages: client},
		"etcd/server":             {CN: "node-1", Issuer: "etcd-ca", Usages: both, DNS: []string{"localhost", "node-1"}, IPs: etcdIPs},
		"etcd/peer":               {CN: "node-1", Issuer: "etcd-ca", Usages: both, DNS: []string{"localhost", "node-1"}, IPs: etcdIPs},
		"etcd/healthcheck-client": {CN: "kube-etcd-healthcheck-client", Issuer: "etcd-ca", Usages: client},
		"apiserver-etcd-client":   {CN: "kube-apiserver-etcd-client", Issuer: "etcd-ca", Usages: client},
		"admin.conf":              {CN: "kubernetes-admin", O: "kubeadm:cluster-admins", Issuer: "kubernetes", Usages: client},
		"super-admin.conf":        {CN: "kubernetes-super-admin", O: "system:masters", Issuer: "kubernetes", Usages: client},
		"controller-manager.conf": {CN: "system:kube-controller-manager", Issuer: "kubernetes", Usages: client},
		"scheduler.conf":          {CN: "system:kube-scheduler", Issuer: "kubernetes", Usages: client},
		"kubelet.conf":            {CN: "system:node:node-1", O: "system:nodes", Issuer: "kubernetes", Usages: client},
	}
	for name, r := range want {
		r.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
		r.Valid = [2]time.Time{pkiNow.Add(-5 * time.Minute), pkiNow.Add(8760 * time.Hour)}
		if r.CA {
			r.KeyUsage |= x509.KeyUsageCertSign
			r.Valid[1] = pkiNow.Add(87600 * time.Hour)
		}
		want[name] = r
	}
	pairs, err := certs.Fill(pkiRequests(pkiConfig()), nil, pkiNow)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]row{}
	for name, p := range pairs {
		got[name] = rowOf(p)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// sans are the names and addresses of those certificates that the configuration changes.
type sans struct{ DNS, IPs []string }

func TestPKISubjectAltNames(t *testing.T) {
	t.Parallel()
	service := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "node-1"}
	for name, test := range map[string]struct {
		change func(*config.Config)
		pair   string
		want   sans
	}{
		"endpoint by name": {
			func(c *config.Config) { c.Endpoint = "Api.example.com:443" }, "apiserver",
			sans{append([]string{"api.example.com"}, service...), []string{"10.96.0.1", "10.0.0.1"}},
		},
		"endpoint by address": {
			func(c *config.Config) { c.Endpoint = "192.168.7.7:6443" }, "apiserver",
			sans{service, []string{"10.96.0.1", "10.0.0.1", "192.168.7.7"}},
		},
		"certSANs": {
			func(c *config.Config) {
				c.Cluster.APIServer.CertSANs = []string{"*.k8s.example.com", "kubernetes", "1.2.3.4", "fd00::0:7", "10.0.0.1"}
			}, "apiserver",
			sans{append([]string{"*.k8s.example.com"}, service...), []string{"10.96.0.1", "10.0.0.1", "1.2.3.4", "fd00::7"}},
		},
		"DNS domain": {
			func(c *config.Config) { c.Cluster.Networking.DNSDomain = "a.org" }, "apiserver",
			sans{[]string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.a.org", "node-1"}, []string{"10.96.0.1", "10.0.0.1"}},
		},
		"IPv6": {ipv6, "apiserver", sans{service, []string{"fd00:1::1", "fd00::1"}}},
		"dual-stack": {
			func(c *config.Config) { c.Services = append(c.Services, netip.MustParsePrefix("fd00:1::/112")) }, "apiserver",
			sans{service, []string{"10.96.0.1", "10.0.0.1"}},
		},
		"sandbox": {sandbox, "apiserver", sans{service, []string{"10.96.0.1", "127.7.0.1"}}},
		"etcd, IPv6": {
			ipv6, "etcd/server", sans{[]string{"localhost", "node-1"}, []string{"fd00::1", "127.0.0.1", "::1"}},
		},
		"etcd, sandbox": {
			sandbox, "etcd/peer", sans{[]string{"localhost", "node-1"}, []string{"127.7.0.1", "127.0.0.1", "::1"}},
		},
		"serverCertSANs": {
			func(c *config.Config) { c.Cluster.Etcd.Local.ServerCertSANs = []string{"etcd.a.org", "1.2.3.4"} }, "etcd/server",
			sans{[]string{"etcd.a.org", "localhost", "node-1"}, []string{"10.0.0.1", "127.0.0.1", "::1", "1.2.3.4"}},
		},
		"serverCertSANs are not peerCertSANs": {
			func(c *config.Config) { c.Cluster.Etcd.Local.ServerCertSANs = []string{"etcd.a.org"} }, "etcd/peer",
			sans{[]string{"localhost", "node-1"}, []string{"10.0.0.1", "127.0.0.1", "::1"}},
		},
		"peerCertSANs": {
			func(c *config.Config) { c.Cluster.Etcd.Local.PeerCertSANs = []string{"peer.a.org"} }, "etcd/peer",
			sans{[]string{"localhost", "node-1", "peer.a.org"}, []string{"10.0.0.1", "127.0.0.1", "::1"}},
		},
		"etcd without a section": {
			func(c *config.Config) { c.Cluster.Etcd.Local = nil }, "etcd/server",
			sans{[]string{"localhost", "node-1"}, []string{"10.0.0.1", "127.0.0.1", "::1"}},
		},
		"scheduler, sandbox": {
			sandbox, "kube-scheduler", sans{[]string{"kube-scheduler", "localhost"}, []string{"127.0.0.1", "::1", "127.7.0.1"}},
		},
		"controller-manager, sandbox": {
			sandbox, "kube-controller-manager", sans{[]string{"kube-controller-manager", "localhost"}, []string{"127.0.0.1", "::1", "127.7.0.1"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := request(t, pkiConfig(test.change), test.pair).Spec
			got := sans{DNS: spec.DNSNames}
			for _, ip := range spec.IPs {
				got.IPs = append(got.IPs, ip.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func ipv6(c *config.Config) {
	c.Advertise = netip.MustParseAddrPort("[fd00::1]:6443")
	c.Endpoint = c.Advertise.String()
	c.Loopback = netip.IPv6Loopback()
	c.Services = []netip.Prefix{netip.MustParsePrefix("fd00:1::/112")}
}

func sandbox(c *config.Config) {
	c.Advertise = netip.MustParseAddrPort("127.7.0.1:6443")
	c.Endpoint = c.Advertise.String()
	c.Loopback = c.Advertise.Addr()
}

func request(t *testing.T, c config.Config, name string) certs.Request {
	t.Helper()
	for _, r := range pkiRequests(c) {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("no request for %s", name)
	return certs.Request{}
}

func TestPKIKubeletClientGroups(t *testing.T) {
	t.Parallel()
	for minor, want := range map[int][]string{34: {"kubeadm:cluster-admins"}, 35: {"kubeadm:cluster-admins"}, 36: nil, 37: nil} {
		c := pkiConfig(func(c *config.Config) { c.Version.Minor = minor })
		got := request(t, c, "apiserver-kubelet-client").Spec.Organization
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("1.%d, -want +got:\n%s", minor, diff)
		}
	}
}

// TestPKIAlgorithms: the algorithm is that of all keys but sa.key, which is RSA whatever is asked for.
func TestPKIAlgorithms(t *testing.T) {
	t.Parallel()
	for algorithm, sa := range map[string]certs.Algorithm{
		"ECDSA-P256": certs.RSA2048,
		"ECDSA-P384": certs.RSA2048,
		"RSA-2048":   certs.RSA2048,
		"RSA-3072":   certs.RSA3072,
		"RSA-4096":   certs.RSA4096,
	} {
		c := pkiConfig(func(c *config.Config) { c.Cluster.EncryptionAlgorithm = algorithm })
		for _, r := range pkiRequests(c) {
			if string(r.Spec.Algorithm) != algorithm {
				t.Errorf("%s is %s, want %s", r.Name, r.Spec.Algorithm, algorithm)
			}
		}
		if got := saAlgorithm(c); got != sa {
			t.Errorf("with %s sa.key is %s, want %s", algorithm, got, sa)
		}
	}
}

func TestPKIValidity(t *testing.T) {
	t.Parallel()
	c := pkiConfig(func(c *config.Config) { c.LeafValidity, c.CAValidity = 48*time.Hour, 24*time.Hour })
	pairs, err := certs.Fill(pkiRequests(c), nil, pkiNow)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range pairs {
		if want := pkiNow.Add(24 * time.Hour); !p.Cert.NotAfter.Equal(want) {
			t.Errorf("%s ends at %s, want its authority's end at %s", name, p.Cert.NotAfter, want)
		}
	}
}
