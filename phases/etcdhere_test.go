package phases

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/host"
)

// A client whose certificate has expired asks with another, where the authority's key is, which is nowhere written.
func TestEtcdTrustOfAnExpiredClient(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	m := s.gather(t)
	ca, client := m.PKI.Pairs[etcdCA], filepath.Join(m.Paths.PKI, "etcd/healthcheck-client")
	old, err := certs.Issue(certs.Spec{CommonName: "kube-etcd-healthcheck-client", Algorithm: certs.ECDSAP256, Validity: time.Hour, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, &ca, time.Now().Add(-2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	key, err := old.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{client + ".crt": old.CertPEM(), client + ".key": key} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ends := func() time.Time {
		trust, err := EtcdTrust(host.Open("/"), m.Paths.PKI)
		if err != nil {
			t.Fatal(err)
		}
		return trust.Certificates[0].Leaf.NotAfter
	}
	if !ends().After(time.Now()) {
		t.Error("etcd is asked with a certificate that has expired")
	}
	if err := os.Remove(filepath.Join(m.Paths.PKI, "etcd/ca.key")); err != nil {
		t.Fatal(err)
	}
	if !ends().Equal(old.Cert.NotAfter) {
		t.Error("a certificate comes from nowhere")
	}
}
