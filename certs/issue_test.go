package certs

import (
	"crypto/x509"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func authority(cn string) Spec {
	return Spec{CommonName: cn, DNSNames: []string{cn}, CA: true, Algorithm: ECDSAP256, Validity: 10 * 365 * 24 * time.Hour}
}

func serving(cn string) Spec {
	return Spec{
		CommonName:   cn,
		Organization: []string{"crew"},
		DNSNames:     []string{"*.example.com", "localhost"},
		IPs:          []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")},
		Usages:       []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		Algorithm:    ECDSAP256,
		Validity:     365 * 24 * time.Hour,
	}
}

func issued(t *testing.T, spec Spec, issuer *Pair) Pair {
	t.Helper()
	return issuedAt(t, now, spec, issuer)
}

func issuedAt(t *testing.T, at time.Time, spec Spec, issuer *Pair) Pair {
	t.Helper()
	p, err := Issue(spec, issuer, at)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// content is what a certificate says, in words that a table can hold.
type content struct {
	Subject, Issuer     string
	DNS, IPs            []string
	Usages              []x509.ExtKeyUsage
	KeyUsage            x509.KeyUsage
	CA                  bool
	NotBefore, NotAfter time.Time
}

func contentOf(p Pair) content {
	c := content{
		Subject: p.Cert.Subject.String(), Issuer: p.Cert.Issuer.String(), DNS: p.Cert.DNSNames, Usages: p.Cert.ExtKeyUsage,
		KeyUsage: p.Cert.KeyUsage, CA: p.Cert.IsCA, NotBefore: p.Cert.NotBefore, NotAfter: p.Cert.NotAfter,
	}
	for _, ip := range p.Cert.IPAddresses {
		c.IPs = append(c.IPs, ip.String())
	}
	return c
}

func TestIssue(t *testing.T) {
	t.Parallel()
	root := issued(t, authority("root"), nil)
	dying := authority("dying")
	dying.Validity = 24 * time.Hour
	dyingRoot := issued(t, dying, nil)
	encrypt := x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment

	for name, test := range map[string]struct {
		spec   Spec
		issuer *Pair
		want   content
	}{
		"authority": {authority("root"), nil, content{
			Subject: "CN=root", Issuer: "CN=root", DNS: []string{"root"}, KeyUsage: encrypt | x509.KeyUsageCertSign, CA: true,
			NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(87600 * time.Hour)}},
		"leaf": {serving("web"), &root, content{
			Subject: "CN=web,O=crew", Issuer: "CN=root", DNS: []string{"*.example.com", "localhost"}, IPs: []string{"10.0.0.1", "fd00::1"},
			Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, KeyUsage: encrypt,
			NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(8760 * time.Hour)}},
		"leaf that signs itself": {serving("web"), nil, content{
			Subject: "CN=web,O=crew", Issuer: "CN=web,O=crew", DNS: []string{"*.example.com", "localhost"}, IPs: []string{"10.0.0.1", "fd00::1"},
			Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, KeyUsage: encrypt,
			NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(8760 * time.Hour)}},
		"no longer than its issuer": {Spec{CommonName: "x", Usages: serving("").Usages, Algorithm: ECDSAP256, Validity: 8760 * time.Hour}, &dyingRoot, content{
			Subject: "CN=x", Issuer: "CN=dying", Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, KeyUsage: encrypt,
			NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(24 * time.Hour)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := issued(t, test.spec, test.issuer)
			if diff := cmp.Diff(test.want, contentOf(p)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if n := p.Cert.SerialNumber; n.Sign() <= 0 || n.BitLen() > 63 {
				t.Errorf("serial number %s, want 63 bits", n)
			}
			if err := p.Fits(test.spec, issuerOf(p, test.issuer), now); err != nil {
				t.Errorf("what was issued does not fit: %v", err)
			}
		})
	}
}

func issuerOf(p Pair, issuer *Pair) Pair {
	if issuer == nil {
		return p
	}
	return *issuer
}

func TestIssueRefuses(t *testing.T) {
	t.Parallel()
	keyless := issued(t, authority("root"), nil)
	keyless.Key = nil
	change := func(f func(*Spec)) Spec {
		s := serving("web")
		f(&s)
		return s
	}
	for name, test := range map[string]struct {
		spec    Spec
		issuer  *Pair
		problem string
	}{
		"no name":           {change(func(s *Spec) { s.CommonName = "" }), nil, "needs a common name"},
		"no validity":       {change(func(s *Spec) { s.Validity = 0 }), nil, "validity must be positive"},
		"no usage":          {change(func(s *Spec) { s.Usages = nil }), nil, "needs a usage"},
		"no algorithm":      {change(func(s *Spec) { s.Algorithm = "" }), nil, `unknown key algorithm ""`},
		"issuer has no key": {serving("web"), &keyless, "no key to sign with"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Issue(test.spec, test.issuer, now); !mentions(err, test.problem) {
				t.Errorf("got %v, want %q", err, test.problem)
			}
		})
	}
}
