package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSigningRequest(t *testing.T) {
	t.Parallel()
	spec := Spec{CommonName: "web", Organization: []string{"a", "b"}, DNSNames: []string{"web", "www"}, IPs: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")}}
	key := newKey(t)
	first := request(t, key, spec, nil)
	block, _ := pem.Decode(first)
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.CheckSignature(); err != nil {
		t.Error(err)
	}
	got := []any{r.Subject.String(), r.DNSNames, r.IPAddresses[0].String(), r.IPAddresses[1].String(), len(r.IPAddresses), key.Private.Public()}
	want := []any{"CN=web,O=a+O=b", []string{"web", "www"}, "10.0.0.1", "fd00::1", 2, r.PublicKey}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	for name, test := range map[string]struct {
		key  Key
		spec Spec
		old  []byte
		kept bool
	}{
		"the same":        {key, spec, first, true},
		"another key":     {newKey(t), spec, first, false},
		"another name":    {key, Spec{CommonName: "web", Organization: spec.Organization, DNSNames: []string{"web"}, IPs: spec.IPs}, first, false},
		"another address": {key, Spec{CommonName: "web", Organization: spec.Organization, DNSNames: spec.DNSNames, IPs: spec.IPs[:1]}, first, false},
		"another subject": {key, Spec{CommonName: "mail", Organization: spec.Organization, DNSNames: spec.DNSNames, IPs: spec.IPs}, first, false},
		"no group":        {key, Spec{CommonName: "web", DNSNames: spec.DNSNames, IPs: spec.IPs}, first, false},
		"torn":            {key, spec, first[:len(first)/2], false},
		"broken":          {key, spec, forged(block), false},
		"something else":  {key, spec, issued(t, authority("ca"), nil).CertPEM(), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if kept := bytes.Equal(request(t, test.key, test.spec, test.old), test.old); kept != test.kept {
				t.Errorf("kept: %v", kept)
			}
		})
	}
}

func request(t *testing.T, k Key, spec Spec, old []byte) []byte {
	t.Helper()
	data, err := k.SigningRequest(spec, old)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// forged is the request with another signature.
func forged(b *pem.Block) []byte {
	broken := bytes.Clone(b.Bytes)
	broken[len(broken)-1] ^= 1
	return pem.EncodeToMemory(&pem.Block{Type: b.Type, Bytes: broken})
}
