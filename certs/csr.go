package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"slices"

	"k8s.io/client-go/util/cert"
)

// SigningRequest is what asks an authority elsewhere to sign what spec asks for, in PEM: its subject and its names. Usages
// and validity are the authority's affair. The old one is kept, byte for byte, if it asks for the same with the same key;
// nil for none.
func (k Key) SigningRequest(spec Spec, old []byte) ([]byte, error) {
	if k.asksFor(spec, old) {
		return old, nil
	}
	template := &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: spec.CommonName, Organization: spec.Organization},
		DNSNames: spec.DNSNames, IPAddresses: netIPs(spec.IPs),
	}
	request, err := cert.MakeCSRFromTemplate(k.Private, template)
	if err != nil {
		return nil, fmt.Errorf("requesting %s: %w", spec.CommonName, err)
	}
	return request, nil
}

func (k Key) asksFor(spec Spec, old []byte) bool {
	block, _ := pem.Decode(old)
	if block == nil || block.Type != cert.CertificateRequestBlockType {
		return false
	}
	r, err := x509.ParseCertificateRequest(block.Bytes)
	return err == nil && r.CheckSignature() == nil && sameKey(k.Private.Public(), r.PublicKey) &&
		r.Subject.CommonName == spec.CommonName && slices.Equal(r.Subject.Organization, spec.Organization) &&
		slices.Equal(r.DNSNames, spec.DNSNames) && slices.EqualFunc(r.IPAddresses, netIPs(spec.IPs), net.IP.Equal)
}
