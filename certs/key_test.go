package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewKey(t *testing.T) {
	t.Parallel()
	type key struct {
		Block string
		Bits  int
	}
	for algorithm, want := range map[Algorithm]key{
		RSA2048:   {"RSA PRIVATE KEY", 2048},
		RSA3072:   {"RSA PRIVATE KEY", 3072},
		RSA4096:   {"RSA PRIVATE KEY", 4096},
		ECDSAP256: {"EC PRIVATE KEY", 256},
		ECDSAP384: {"EC PRIVATE KEY", 384},
	} {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			k, err := NewKey(algorithm)
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode(k.PrivatePEM())
			if diff := cmp.Diff(want, key{block.Type, bits(k.Private)}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			again, err := ParseKey(k.PrivatePEM(), k.PublicPEM())
			if err != nil {
				t.Fatal(err)
			}
			if again.Summary() != k.Summary() {
				t.Errorf("read back %s, want %s", again, k)
			}
		})
	}
}

func bits(key any) int {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key.N.BitLen()
	case *ecdsa.PrivateKey:
		return key.Params().BitSize
	}
	return 0
}

func TestNewKeyOfUnknownAlgorithm(t *testing.T) {
	t.Parallel()
	_, err := NewKey("DSA-1024")
	if err == nil || !strings.Contains(err.Error(), `"DSA-1024"`) {
		t.Errorf("got %v, want the algorithm named", err)
	}
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	mine, other := newKey(t), newKey(t)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(mine.Private)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edDER, err := x509.MarshalPKCS8PrivateKey(ed)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		private, public []byte
		problem         string
	}{
		"pair":                  {mine.PrivatePEM(), mine.PublicPEM(), ""},
		"public key derived":    {mine.PrivatePEM(), nil, ""},
		"PKCS#8":                {block("PRIVATE KEY", pkcs8), mine.PublicPEM(), ""},
		"earlier keys kept":     {mine.PrivatePEM(), bytes.Join([][]byte{other.PublicPEM(), mine.PublicPEM()}, nil), ""},
		"another's public key":  {mine.PrivatePEM(), other.PublicPEM(), "does not match"},
		"no public key":         {mine.PrivatePEM(), []byte("hello"), "parsing the public key"},
		"no private key":        {[]byte("hello"), nil, "no RSA or ECDSA private key"},
		"empty":                 {nil, nil, "no RSA or ECDSA private key"},
		"neither RSA nor ECDSA": {block("PRIVATE KEY", edDER), nil, "neither RSA nor ECDSA"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, err := ParseKey(test.private, test.public)
			if !mentions(err, test.problem) {
				t.Fatalf("got error %v, want %q", err, test.problem)
			}
			if err == nil && !bytes.Equal(k.PrivatePEM(), test.private) {
				t.Error("the private key's bytes changed")
			}
			if test.public != nil && err == nil && !bytes.Equal(k.PublicPEM(), test.public) {
				t.Error("the public key's bytes changed")
			}
		})
	}
}

// TestSecretsStayIn prints and encodes what holds keys in every way that a log or an event may.
func TestSecretsStayIn(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	pair := issued(t, authority("root"), nil)
	raw, err := key.Private.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	d := new(big.Int).SetBytes(raw).String()
	for _, holder := range []any{key, pair, &pair, map[string]any{"pair": pair, "key": key}, []Pair{pair}} {
		out, err := json.Marshal(holder)
		if err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
			out = fmt.Appendf(out, verb, holder)
		}
		if bytes.Contains(out, []byte("D:")) || bytes.Contains(out, []byte(`"D"`)) || bytes.Contains(out, []byte(d)) {
			t.Errorf("%T shows its key: %s", holder, out)
		}
		if !bytes.Contains(out, []byte("sha256:")) {
			t.Errorf("%T does not tell which key it is: %s", holder, out)
		}
	}
}

func newKey(t *testing.T) Key {
	t.Helper()
	k, err := NewKey(ECDSAP256)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// mentions says whether err holds the text; no text stands for no error.
func mentions(err error, text string) bool {
	if text == "" {
		return err == nil
	}
	return err != nil && strings.Contains(err.Error(), text)
}
