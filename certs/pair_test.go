package certs

import (
	"bytes"
	"crypto/x509"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	t.Parallel()
	root, other := issued(t, authority("root"), nil), issued(t, authority("other"), nil)
	bundle := slices.Concat([]byte("# the new one\n"), root.CertPEM(), []byte("\n# the old one\n"), other.CertPEM())
	pkcs8, err := x509.MarshalPKCS8PrivateKey(root.Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		cert, key []byte
		chain     []string
		problem   string
	}{
		"pair":             {root.CertPEM(), keyPEM(t, root), []string{"CN=root"}, ""},
		"certificate only": {root.CertPEM(), nil, []string{"CN=root"}, ""},
		"PKCS#8":           {root.CertPEM(), block("PRIVATE KEY", pkcs8), []string{"CN=root"}, ""},
		"bundle":           {bundle, keyPEM(t, root), []string{"CN=root", "CN=other"}, ""},
		"another's key":    {root.CertPEM(), keyPEM(t, other), nil, "does not match its key\nhint: "},
		"key of the last":  {bundle, keyPEM(t, other), nil, "does not match its key"},
		"empty key":        {root.CertPEM(), []byte{}, nil, "no RSA or ECDSA private key"},
		"no certificate":   {[]byte("hello"), nil, nil, "parsing the certificate"},
		"torn certificate": {root.CertPEM()[:100], nil, nil, "parsing the certificate"},
		"broken encoding":  {block("CERTIFICATE", []byte("hello")), nil, nil, "parsing the certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := Parse(test.cert, test.key)
			if !mentions(err, test.problem) {
				t.Fatalf("got error %v, want %q", err, test.problem)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(test.chain, subjects(p)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !bytes.Equal(p.CertPEM(), test.cert) || !bytes.Equal(keyPEM(t, p), test.key) {
				t.Error("the bytes are not those that were read")
			}
		})
	}
}

func TestChainPEMIsCertificatesOnly(t *testing.T) {
	t.Parallel()
	root, other := issued(t, authority("root"), nil), issued(t, authority("other"), nil)
	p, err := Parse(slices.Concat(root.CertPEM(), keyPEM(t, root), other.CertPEM()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := slices.Concat(root.CertPEM(), other.CertPEM()); !bytes.Equal(p.ChainPEM(), want) {
		t.Errorf("got\n%s\nwant\n%s", p.ChainPEM(), want)
	}
}

func TestParseFile(t *testing.T) {
	t.Parallel()
	root := issued(t, authority("root"), nil)
	leaf := issued(t, serving("web"), &root)
	for name, file := range map[string][]byte{
		"certificate first": slices.Concat(leaf.CertPEM(), root.CertPEM(), keyPEM(t, leaf)),
		"key first":         slices.Concat(keyPEM(t, leaf), leaf.CertPEM(), root.CertPEM()),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if want := slices.Concat(leaf.CertPEM(), root.CertPEM()); !bytes.Equal(p.CertPEM(), want) {
				t.Errorf("certificates\n%s\nwant\n%s", p.CertPEM(), want)
			}
			if !bytes.Equal(keyPEM(t, p), keyPEM(t, leaf)) {
				t.Error("the key's bytes changed")
			}
		})
	}
	for name, file := range map[string][]byte{"nothing": nil, "certificate only": leaf.CertPEM(), "key only": keyPEM(t, leaf)} {
		if _, err := ParseFile(file); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func keyPEM(t *testing.T, p Pair) []byte {
	t.Helper()
	data, err := p.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func subjects(p Pair) []string {
	var out []string
	for _, c := range p.Chain {
		out = append(out, c.Subject.String())
	}
	return out
}
