package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"tripod.dev/tripod/e2e/lab"
)

// All leaf certificates and kubeconfigs of three masters are renewed, and what runs serves and shows the new ones; a name
// that the cluster is told of is served by all.
func TestRenewMasters(t *testing.T) {
	t.Parallel()
	m := newMasters(t, "tripod")
	for number := range byte(2) {
		m.join(t, "tripod", m.machine(t, 2+number))
	}
	calls := m.call(t)
	for _, n := range m.nodes {
		before, served := leafs(t, n), servedBy(t, n)
		t.Log(must(t)(n.Run(t.Context(), "tripod", "certs", "renew", "all")))
		wantRenewed(t, n, before, served)
	}
	m.addName(t, "api.example.test")
	wantAnswered(t, calls)
	m.wantMembers(t)
	m.wantNothingLost(t)
}

// leafs are the certificates of a master that are renewed, by their file.
func leafs(t *testing.T, n *lab.Node) map[string]*x509.Certificate {
	t.Helper()
	all := map[string]*x509.Certificate{}
	for _, pattern := range []string{"/etc/kubernetes/pki/*.crt", "/etc/kubernetes/pki/etcd/*.crt", "/etc/kubernetes/*.conf"} {
		paths, err := filepath.Glob(n.Path(pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			name := strings.TrimPrefix(path, n.Path("/etc/kubernetes/"))
			if cert := certificateIn(t, path); cert != nil && !cert.IsCA {
				all[strings.TrimPrefix(name, "/")] = cert
			}
		}
	}
	if len(all) < 11 {
		t.Errorf("only %d leafs", len(all))
	}
	return all
}

// certificateIn is the one in a file, or a kubeconfig; nil in the kubelet's, which names another file.
func certificateIn(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(path) == ".conf" {
		var conf struct {
			Users []struct {
				User struct {
					Data []byte `json:"client-certificate-data"`
				}
			}
		}
		if err := yaml.Unmarshal(data, &conf); err != nil {
			t.Fatal(err)
		}
		data = conf.Users[0].User.Data
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// servings are the files of what each component serves, by its port.
var servings = map[int]string{2379: "pki/etcd/server.crt", 2380: "pki/etcd/peer.crt", 6443: "pki/apiserver.crt", 10257: "pki/kube-controller-manager.crt", 10259: "pki/kube-scheduler.crt"}

// servedBy are the certificates that a master's components serve, by port.
func servedBy(t *testing.T, n *lab.Node) map[int]*x509.Certificate {
	t.Helper()
	all := map[int]*x509.Certificate{}
	for port := range servings {
		host := "127.0.0.1"
		if port == 2380 {
			host = n.Addr.String()
		}
		until(t, fmt.Sprintf("a certificate at port %d", port), func(ctx context.Context) error {
			conn, err := n.Dial(ctx, "tcp", fmt.Sprintf("%s:%d", host, port))
			if err != nil {
				return err
			}
			defer conn.Close()
			client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
				all[port] = s.PeerCertificates[0]
				return nil
			}})
			_ = client.HandshakeContext(ctx) // etcd wants a certificate of us, after it has shown its own
			if all[port] == nil {
				return fmt.Errorf("nothing was shown")
			}
			return nil
		})
	}
	return all
}

// wantRenewed wants every leaf to be another one than before, with the names that it had, and every component to serve it and
// to have been started since.
func wantRenewed(t *testing.T, n *lab.Node, before map[string]*x509.Certificate, served map[int]*x509.Certificate) {
	t.Helper()
	now := leafs(t, n)
	for name, old := range before {
		cert := now[name]
		switch {
		case cert == nil || cert.Equal(old):
			t.Errorf("%s of %s was not renewed", name, n.Name)
		case !slices.Equal(cert.DNSNames, old.DNSNames) || fmt.Sprint(cert.IPAddresses) != fmt.Sprint(old.IPAddresses) || cert.Subject.String() != old.Subject.String():
			t.Errorf("%s of %s is for %s %v %v, was for %s %v %v", name, n.Name, cert.Subject, cert.DNSNames, cert.IPAddresses, old.Subject, old.DNSNames, old.IPAddresses)
		case time.Until(cert.NotAfter) < 300*24*time.Hour:
			t.Errorf("%s of %s ends at %s", name, n.Name, cert.NotAfter)
		}
	}
	for port, cert := range servedBy(t, n) {
		if !cert.Equal(now[servings[port]]) || cert.Equal(served[port]) {
			t.Errorf("port %d of %s serves %s until %s, not what is in %s", port, n.Name, cert.Subject, cert.NotAfter, servings[port])
		}
	}
	wantReady(t, n.Kubectl)
}

// addName adds a name to the apiserver's certificates by the cluster's configuration: the first master stores it, the others
// follow.
func (m *masters) addName(t *testing.T, name string) {
	t.Helper()
	first := m.nodes[0]
	document := must(t)(first.Kubectl(t.Context(), "--namespace=kube-system", "get", "configmap", "kubeadm-config", "--output=jsonpath={.data.ClusterConfiguration}"))
	var cluster map[string]any
	if err := yaml.Unmarshal([]byte(document), &cluster); err != nil {
		t.Fatal(err)
	}
	cluster["apiServer"] = map[string]any{"certSANs": []string{name}}
	data, err := yaml.Marshal(cluster)
	if err == nil {
		err = os.WriteFile(first.Path("/var/cluster.yaml"), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range m.nodes {
		args := []string{"apply", "--yes", ignored}
		if i == 0 {
			args = append(args, "-f", "/var/cluster.yaml")
		}
		etcd := must(t)(pidOnNode(t.Context(), n, "etcd"))
		t.Log(must(t)(n.Run(t.Context(), "tripod", args...)))
		if cert := servedBy(t, n)[6443]; !slices.Contains(cert.DNSNames, name) {
			t.Errorf("%s serves no %s: %v", n.Name, name, cert.DNSNames)
		}
		if now := must(t)(pidOnNode(t.Context(), n, "etcd")); now != etcd {
			t.Errorf("etcd of %s was started anew, and nothing of it has changed", n.Name)
		}
		if again := must(t)(n.Run(t.Context(), "tripod", "apply", "--yes", ignored)); !strings.Contains(again, "Nothing to change") {
			t.Error(again)
		}
	}
}
