package host

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// newPair draws a self-signed pair, as PEM.
func newPair(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
}

func TestReadPair(t *testing.T) {
	t.Parallel()
	oldCert, oldKey := newPair(t)
	newCert, newKey := newPair(t)
	torn := newCert[:len(newCert)/2]
	for name, tt := range map[string]struct {
		cert, staged, key []byte // nil: not there
		want              []byte
	}{
		"nothing":                            {},
		"a pair":                             {cert: oldCert, key: oldKey, want: oldCert},
		"certificate only":                   {cert: oldCert, want: oldCert},
		"key only":                           {key: oldKey},
		"killed while staging":               {cert: oldCert, staged: torn, key: oldKey, want: oldCert},
		"killed when staged":                 {cert: oldCert, staged: newCert, key: oldKey, want: oldCert},
		"killed between, first time":         {staged: newCert, key: newKey, want: newCert},
		"killed between, replacing":          {cert: oldCert, staged: newCert, key: newKey, want: newCert},
		"a mismatch that is not ours":        {cert: oldCert, key: newKey, want: oldCert},
		"staged for certificate without key": {cert: oldCert, staged: newCert, want: oldCert},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{}
			for path, data := range map[string][]byte{"/pki/ca.crt": tt.cert, "/pki/.ca.crt.tripod": tt.staged, "/pki/ca.key": tt.key} {
				if data != nil {
					files[path] = string(data)
				}
			}
			cert, key, err := lay(t, files).ReadPair("/pki/ca.crt", "/pki/ca.key")
			if err != nil || !bytes.Equal(cert, tt.want) || !bytes.Equal(key, tt.key) {
				t.Errorf("got certificate %.40q, key %.40q, %v", cert, key, err)
			}
		})
	}
}
