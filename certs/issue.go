package certs

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"net/netip"
	"time"
)

// backdate is how long before now a certificate starts, for hosts whose clocks differ a little.
const backdate = 5 * time.Minute

// Issue draws a key and signs a certificate for it, by issuer or, if that is nil, by itself.
func Issue(spec Spec, issuer *Pair, now time.Time) (Pair, error) {
	key, err := spec.Algorithm.draw()
	if err != nil {
		return Pair{}, err
	}
	return sign(spec, key, issuer, now)
}

func sign(spec Spec, key crypto.Signer, issuer *Pair, now time.Time) (Pair, error) {
	template, err := spec.template(now)
	if err != nil {
		return Pair{}, err
	}
	parent, signer := template, key
	if issuer != nil {
		if issuer.Key == nil {
			return Pair{}, errors.New("the issuer has no key to sign with")
		}
		parent, signer = issuer.Cert, issuer.Key
		template.NotAfter = earlier(template.NotAfter, issuer.Cert.NotAfter)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return Pair{}, fmt.Errorf("signing %s: %w", spec.CommonName, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return Pair{}, fmt.Errorf("reading back %s: %w", spec.CommonName, err)
	}
	return Pair{Cert: cert, Chain: []*x509.Certificate{cert}, Key: key}, nil
}

func (s Spec) template(now time.Time) (*x509.Certificate, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(math.MaxInt64-1))
	if err != nil {
		return nil, fmt.Errorf("drawing a serial number: %w", err)
	}
	return &x509.Certificate{
		// Zero is not a serial number (RFC 5280, 4.1.2.2).
		SerialNumber:          serial.Add(serial, big.NewInt(1)),
		Subject:               pkix.Name{CommonName: s.CommonName, Organization: s.Organization},
		DNSNames:              s.DNSNames,
		IPAddresses:           netIPs(s.IPs),
		NotBefore:             now.Add(-backdate).UTC(),
		NotAfter:              now.Add(s.Validity).UTC(),
		KeyUsage:              s.keyUsage(),
		ExtKeyUsage:           s.Usages,
		BasicConstraintsValid: true,
		IsCA:                  s.CA,
	}, nil
}

func (s Spec) check() error {
	switch {
	case s.CommonName == "":
		return errors.New("a certificate needs a common name")
	case s.Validity <= 0:
		return fmt.Errorf("%s: the validity must be positive, not %s", s.CommonName, s.Validity)
	case !s.CA && len(s.Usages) == 0:
		return fmt.Errorf("%s: a leaf needs a usage", s.CommonName)
	}
	return nil
}

func (s Spec) keyUsage() x509.KeyUsage {
	usage := x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	if s.CA {
		usage |= x509.KeyUsageCertSign
	}
	return usage
}

func netIPs(addrs []netip.Addr) []net.IP {
	var ips []net.IP
	for _, a := range addrs {
		ips = append(ips, a.AsSlice())
	}
	return ips
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
