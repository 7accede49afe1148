package phases

import (
	"crypto/x509"
	pemblock "encoding/pem"
	"net"
	"testing"
	"time"

	"k8s.io/client-go/util/cert"

	"tripod.dev/tripod/certs"
)

// What a component of kubeadm's has made for itself is taken for that, as long as its process lives; nothing else is.
func TestMadeForItself(t *testing.T) {
	t.Parallel()
	made, _, err := cert.GenerateSelfSignedCertKey("localhost", []net.IP{net.ParseIP("127.0.0.1")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ago := time.Now().AddDate(-2, 0, 0)
	ca, err := certs.Issue(certs.Spec{CommonName: "localhost-ca", CA: true, Algorithm: certs.ECDSAP256, Validity: time.Hour}, nil, ago)
	if err != nil {
		t.Fatal(err)
	}
	old, err := certs.Issue(certs.Spec{CommonName: "localhost", DNSNames: []string{"localhost"}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		Algorithm: certs.ECDSAP256, Validity: time.Hour}, &ca, ago)
	if err != nil {
		t.Fatal(err)
	}
	m := provable(t)
	for name, tt := range map[string]struct {
		shown   []byte
		problem string
	}{
		"made for itself":         {made, ""},
		"two years ago":           {append(old.ChainPEM(), ca.ChainPEM()...), ""},
		"another component's":     {m.PKI.Pairs["etcd/server"].ChainPEM(), "x509: "},
		"half of two":             {append(leafOf(t, made), ca.ChainPEM()...), "x509: certificate signed by unknown authority"},
		"the cluster's apiserver": {m.PKI.Pairs["apiserver"].ChainPEM(), "x509: "},
	} {
		shown, err := cert.ParseCertsPEM(tt.shown)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { mentions(t, madeForItself(shown), tt.problem) })
	}
}

func leafOf(t *testing.T, bundle []byte) []byte {
	t.Helper()
	block, _ := pemblock.Decode(bundle)
	return pemblock.EncodeToMemory(block)
}
