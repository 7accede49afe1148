package certs

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"

	"k8s.io/client-go/util/cert"
)

// Pair is a certificate and its key.
type Pair struct {
	Cert *x509.Certificate
	// Chain is the whole bundle as it was read, Cert first.
	Chain []*x509.Certificate
	// Key is nil if there is only the certificate.
	Key crypto.Signer

	certPEM, keyPEM []byte
}

// Parse reads a certificate, or a bundle, and its key. A nil keyPEM means certificate only.
// The key must match the first certificate.
func Parse(certPEM, keyPEM []byte) (Pair, error) {
	chain, err := cert.ParseCertsPEM(certPEM)
	if err != nil {
		return Pair{}, fmt.Errorf("parsing the certificate: %w", err)
	}
	p := Pair{Cert: chain[0], Chain: chain, certPEM: certPEM}
	if keyPEM == nil {
		return p, nil
	}
	if p.Key, err = parsePrivate(keyPEM); err != nil {
		return Pair{}, err
	}
	p.keyPEM = keyPEM
	if err := p.matches(); err != nil {
		return Pair{}, err
	}
	return p, nil
}

// ParseFile reads a pair out of one file that holds both, as the kubelet keeps its own.
func ParseFile(data []byte) (Pair, error) {
	var certPEM, keyPEM bytes.Buffer
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		part := &keyPEM
		if block.Type == cert.CertificateBlockType {
			part = &certPEM
		}
		if err := pem.Encode(part, block); err != nil {
			return Pair{}, fmt.Errorf("splitting certificate and key: %w", err)
		}
	}
	if keyPEM.Len() == 0 {
		return Pair{}, errors.New("the file does not hold both a certificate and a key")
	}
	return Parse(certPEM.Bytes(), keyPEM.Bytes())
}

// CertPEM is the certificate with all that follows it in its bundle, byte for byte as it was read.
func (p Pair) CertPEM() []byte {
	if p.certPEM != nil {
		return p.certPEM
	}
	return p.ChainPEM()
}

// ChainPEM are the certificates of the bundle and nothing else that its file may hold.
func (p Pair) ChainPEM() []byte {
	var out []byte
	for _, c := range p.Chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: c.Raw})...)
	}
	return out
}

// KeyPEM is the key, byte for byte as it was read, or PKCS#1 or SEC 1 if it was drawn; nil if there is none.
func (p Pair) KeyPEM() ([]byte, error) {
	if p.keyPEM != nil || p.Key == nil {
		return p.keyPEM, nil
	}
	return encodePrivate(p.Key)
}

// Summary is the subject and the digest of the public key.
func (p Pair) Summary() string {
	if p.Cert == nil {
		return "no certificate"
	}
	return p.Cert.Subject.String() + " " + Fingerprint(p.Cert.PublicKey)
}

// Format prints the Summary whatever the verb, so that no log or error ever holds a key.
func (p Pair) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, p.Summary()) }

// MarshalText is Summary: no event ever holds a key.
func (p Pair) MarshalText() ([]byte, error) { return []byte(p.Summary()), nil }

func (p Pair) matches() error {
	if p.Key != nil && !sameKey(p.Key.Public(), p.Cert.PublicKey) {
		return errors.New("the certificate does not match its key\nhint: put back the key that belongs to it, or remove both")
	}
	return nil
}
