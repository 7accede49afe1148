package certs

import (
	"crypto/x509"
	"errors"
	"net/netip"
	"testing"
	"time"
)

const year = 365 * 24 * time.Hour

func TestFitsAuthority(t *testing.T) {
	t.Parallel()
	root := issued(t, authority("root"), nil)
	keyless := root
	keyless.Key = nil
	swapped := root
	swapped.Key = newKey(t).Private
	for name, test := range map[string]struct {
		pair    Pair
		at      time.Time
		problem string
	}{
		"as asked for":        {root, now, ""},
		"of another name":     {issued(t, authority("mine"), nil), now, ""},
		"of an intermediate":  {issued(t, authority("mine"), &root), now, ""},
		"without its key":     {keyless, now, ""},
		"expired":             {root, now.Add(11 * year), "CN=root expired on 2036-02-27T12:00:00Z\nhint: "},
		"not begun":           {root, now.Add(-year), "CN=root is not valid before 2026-03-01T11:55:00Z\nhint: check this host's clock"},
		"a leaf":              {issued(t, serving("web"), &root), now, "not one of a certificate authority"},
		"with another's key":  {swapped, now, "does not match its key"},
		"no certificate else": {Pair{}, now, "is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := test.pair.Fits(authority("root"), Pair{}, test.at); !mentions(err, test.problem) {
				t.Errorf("got %v, want %q", err, test.problem)
			}
		})
	}
}

func TestFitsLeaf(t *testing.T) {
	t.Parallel()
	root, other := issued(t, authority("root"), nil), issued(t, authority("root"), nil)
	between := issued(t, authority("between"), &root)
	bundle := root
	bundle.Chain = []*x509.Certificate{root.Cert, other.Cert}
	renewed := root
	renewed.Cert = resigned(t, root, now.Add(5*year))
	renewed.Chain = []*x509.Certificate{renewed.Cert}

	leaf := issued(t, serving("web"), &root)
	keyless, swapped, chained := leaf, leaf, issued(t, serving("web"), &between)
	keyless.Key, swapped.Key = nil, newKey(t).Private
	chained.Chain = append(chained.Chain, between.Cert)
	long := serving("web")
	long.Validity = 9 * year

	const stale, hard = true, false
	for name, test := range map[string]struct {
		pair    Pair
		issuer  Pair
		at      time.Time
		stale   bool
		problem string
	}{
		"as asked for":                 {leaf, root, now, hard, ""},
		"of the bundle's other":        {issued(t, serving("web"), &other), bundle, now, hard, ""},
		"through an intermediate":      {chained, root, now, hard, ""},
		"last moment":                  {leaf, root, leaf.Cert.NotAfter, hard, ""},
		"expired":                      {leaf, root, now.Add(year + time.Second), stale, "expired on 2027-03-01T12:00:00Z"},
		"expired before CA's renewal":  {leaf, renewed, now.Add(6 * year), stale, "expired on 2027-03-01T12:00:00Z"},
		"older than its CA's renewal":  {issued(t, long, &root), renewed, now.Add(6 * year), hard, ""},
		"not begun":                    {issuedAt(t, now.Add(time.Hour), serving("web"), &root), root, now, stale, "not valid before"},
		"authority expired":            {leaf, root, now.Add(11 * year), stale, "that signed it has expired"},
		"key missing":                  {keyless, root, now, stale, "its key is missing"},
		"another's key":                {swapped, root, now, hard, "does not match its key"},
		"another authority, same name": {leaf, other, now, hard, "was not signed by CN=root (sha256:"},
		"intermediate missing":         {issued(t, serving("web"), &between), root, now, hard, "was not signed by"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.pair.Fits(serving("web"), test.issuer, test.at)
			if !mentions(err, test.problem) || errors.Is(err, ErrStale) != test.stale {
				t.Errorf("got %v, want %q (stale: %t)", err, test.problem, test.stale)
			}
		})
	}
}

// resigned is the authority's certificate for the same key, beginning later.
func resigned(t *testing.T, root Pair, from time.Time) *x509.Certificate {
	t.Helper()
	p, err := sign(authority("root"), root.Key, nil, from)
	if err != nil {
		t.Fatal(err)
	}
	return p.Cert
}

func TestFitsSpec(t *testing.T) {
	t.Parallel()
	root := issued(t, authority("root"), nil)
	external := root
	external.Key = nil
	leaf := issued(t, serving("web"), &root)
	versatile := serving("web")
	versatile.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}

	for name, test := range map[string]struct {
		pair    Pair
		issuer  Pair
		want    func(*Spec)
		problem string
	}{
		"other key kind":       {leaf, root, func(s *Spec) { s.Algorithm = RSA4096 }, ""},
		"shorter validity":     {leaf, root, func(s *Spec) { s.Validity = time.Hour }, ""},
		"fewer names":          {leaf, root, func(s *Spec) { s.DNSNames, s.IPs = nil, nil }, ""},
		"under its wildcard":   {leaf, root, func(s *Spec) { s.DNSNames = []string{"api.example.com"} }, ""},
		"another name":         {leaf, root, func(s *Spec) { s.DNSNames = append(s.DNSNames, "a.org", "localhost") }, "not valid for a.org"},
		"another address":      {leaf, root, func(s *Spec) { s.IPs = addrs("10.0.0.1", "10.0.0.2", "fd00::2") }, "not valid for 10.0.0.2, fd00::2"},
		"another wildcard":     {leaf, root, func(s *Spec) { s.DNSNames = []string{"*.a.org"} }, "not valid for *.a.org"},
		"another common name":  {leaf, root, func(s *Spec) { s.CommonName = "ftp" }, "wanted are CN=ftp and O=crew"},
		"another group":        {leaf, root, func(s *Spec) { s.Organization = []string{"crew", "more"} }, "O=crew,more"},
		"fewer groups":         {leaf, root, func(s *Spec) { s.Organization = nil }, "its subject is CN=web,O=crew"},
		"fewer, external CA":   {leaf, external, func(s *Spec) { s.Organization = nil }, ""},
		"another, external CA": {leaf, external, func(s *Spec) { s.Organization = []string{"more"} }, "O=more"},
		"another usage":        {leaf, root, func(s *Spec) { s.Usages = append(s.Usages, x509.ExtKeyUsageClientAuth) }, "may not be used as wanted"},
		"any usage":            {issued(t, versatile, &root), root, func(s *Spec) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := serving("web")
			test.want(&spec)
			err := test.pair.Fits(spec, test.issuer, now)
			if !mentions(err, test.problem) || (err != nil && !errors.Is(err, ErrStale)) {
				t.Errorf("got %v, want %q, stale", err, test.problem)
			}
		})
	}
}

func addrs(all ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range all {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}
