package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"

	"k8s.io/client-go/util/keyutil"
)

// Key is a key pair without a certificate. The zero value holds none.
type Key struct {
	// Private signs. Its public half is Private.Public().
	Private crypto.Signer

	privatePEM, publicPEM []byte
}

// NewKey draws a key.
func NewKey(a Algorithm) (Key, error) {
	private, err := a.draw()
	if err != nil {
		return Key{}, err
	}
	privatePEM, err := encodePrivate(private)
	if err != nil {
		return Key{}, err
	}
	return ParseKey(privatePEM, nil)
}

// ParseKey reads a key pair. A nil publicPEM is derived from the private key; otherwise the private
// key's public half must be among its keys, of which there may be several (those of earlier signers).
func ParseKey(privatePEM, publicPEM []byte) (Key, error) {
	private, err := parsePrivate(privatePEM)
	if err != nil {
		return Key{}, err
	}
	if publicPEM == nil {
		publicPEM, err = encodePublic(private.Public())
	} else {
		err = holds(publicPEM, private.Public())
	}
	if err != nil {
		return Key{}, err
	}
	return Key{Private: private, privatePEM: privatePEM, publicPEM: publicPEM}, nil
}

// PrivatePEM is the private key, byte for byte as it was read, or PKCS#1 or SEC 1 if it was drawn.
func (k Key) PrivatePEM() []byte { return k.privatePEM }

// PublicPEM are the public keys, byte for byte as they were read.
func (k Key) PublicPEM() []byte { return k.publicPEM }

// Summary tells keys apart without telling anything of the private one.
func (k Key) Summary() string {
	if k.Private == nil {
		return "no key"
	}
	return "key " + Fingerprint(k.Private.Public())
}

// Format prints the Summary whatever the verb, so that no log or error ever holds a key.
func (k Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.Summary()) }

// MarshalText is Summary: no event ever holds a key.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.Summary()), nil }

// Fingerprint is "sha256:" and the hex digest of the key's SubjectPublicKeyInfo, as in
// --discovery-token-ca-cert-hash. It is empty for a key that x509 can not encode.
func Fingerprint(pub crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (a Algorithm) draw() (crypto.Signer, error) {
	switch a {
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	case ECDSAP256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ECDSAP384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	return nil, fmt.Errorf("unknown key algorithm %q", string(a))
}

func encodePrivate(key crypto.Signer) ([]byte, error) {
	out, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return nil, fmt.Errorf("encoding the key: %w", err)
	}
	return out, nil
}

func encodePublic(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding the public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyutil.PublicKeyBlockType, Bytes: der}), nil
}

// parsePrivate reads PKCS#1, SEC 1 and PKCS#8. The apiserver can use no other keys than RSA and ECDSA.
func parsePrivate(data []byte) (crypto.Signer, error) {
	key, err := keyutil.ParsePrivateKeyPEM(data)
	if err != nil {
		return nil, errors.New("the key file holds no RSA or ECDSA private key in PEM")
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("the key is neither RSA nor ECDSA but %T", key)
}

func holds(publicPEM []byte, want crypto.PublicKey) error {
	keys, err := keyutil.ParsePublicKeysPEM(publicPEM)
	if err != nil {
		return fmt.Errorf("parsing the public key: %w", err)
	}
	if !slices.ContainsFunc(keys, func(k any) bool { return sameKey(want, k) }) {
		return errors.New("the public key does not match the private key")
	}
	return nil
}

func sameKey(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
