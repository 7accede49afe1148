package discovery

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"
)

// authorities are a bundle of certificates, and those of them that are known to be the cluster's: by a pin, by the token's
// signature, or because the user has given them. The others may only stand between these and a server's certificate.
type authorities struct{ bundle, anchors []*x509.Certificate }

// parseAuthorities reads a bundle, all of which is known. What else is between the certificates counts for nothing.
func parseAuthorities(bundle []byte) (authorities, error) {
	var all []*x509.Certificate
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return authorities{}, fmt.Errorf("certificate %d of its bundle: %w", len(all)+1, err)
		}
		all = append(all, cert)
	}
	if len(all) == 0 {
		return authorities{}, errors.New("there is none")
	}
	return authorities{bundle: all, anchors: all}, nil
}

// pem is the whole bundle, and nothing but its certificates.
func (a authorities) pem() []byte {
	var out []byte
	for _, cert := range a.bundle {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return out
}

// verify wants a server's certificates to lead to one that is known. The error is what crypto/tls would say.
func (a authorities) verify(shown []*x509.Certificate, host string, now time.Time) error {
	options := x509.VerifyOptions{DNSName: host, CurrentTime: now, Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
	for _, cert := range a.anchors {
		options.Roots.AddCert(cert)
	}
	for _, cert := range slices.Concat(shown[1:], a.bundle) {
		options.Intermediates.AddCert(cert)
	}
	if _, err := shown[0].Verify(options); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: shown, Err: err}
	}
	return nil
}
