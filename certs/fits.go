package certs

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrStale is why a pair can not be kept although nothing is wrong with it: it has expired, or
// other names, usages or a subject are wanted by now. Whoever has its issuer's key may issue it again.
var ErrStale = errors.New("no longer fits")

// Fits tells why the pair can not be kept as what spec asks for; nil if it can. The reason is
// ErrStale where issuing it again mends it, and any other error where that would only cover up
// something wrong: an authority that has expired, a key of another certificate, another issuer.
// An authority may have any subject and key. The issuer is the zero Pair for an authority that is
// used whoever signed it.
func (p Pair) Fits(spec Spec, issuer Pair, now time.Time) error {
	if p.Cert == nil {
		return fmt.Errorf("%w: the certificate is missing", ErrStale)
	}
	if err := p.matches(); err != nil {
		return err
	}
	if spec.CA {
		if err := p.isAuthority(now); err != nil {
			return err
		}
	}
	if issuer.Cert != nil {
		if err := p.signedBy(issuer, now); err != nil {
			return err
		}
	}
	if spec.CA {
		return nil
	}
	return cmp.Or(p.usable(now), p.subject(spec, issuer), p.names(spec), p.usages(spec))
}

func (p Pair) isAuthority(now time.Time) error {
	switch {
	case !p.Cert.IsCA:
		return errors.New("the certificate is not one of a certificate authority")
	case now.After(p.Cert.NotAfter):
		return fmt.Errorf("the certificate authority %s expired on %s\nhint: put a renewed certificate for the same key in its place; "+
			"nothing that it signed is accepted any more", p.Cert.Subject, date(p.Cert.NotAfter))
	case now.Before(p.Cert.NotBefore):
		return fmt.Errorf("the certificate authority %s is not valid before %s\nhint: check this host's clock, which says %s",
			p.Cert.Subject, date(p.Cert.NotBefore), date(now))
	}
	return nil
}

// signedBy trusts every certificate of the issuer's bundle, as those do that are given the
// bundle: while an authority is being replaced, leaves of the old one are still good.
func (p Pair) signedBy(issuer Pair, now time.Time) error {
	leaf := *p.Cert
	// Whether the leaf itself has expired is asked later, and can be mended.
	leaf.NotBefore, leaf.NotAfter = now, now
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots:         pool(issuer.Chain),
		Intermediates: pool(p.Chain[1:]),
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return fmt.Errorf("%w: the certificate authority that signed it has expired", ErrStale)
	}
	if err != nil {
		return fmt.Errorf("the certificate was not signed by %s (%s): %w\nhint: it belongs to another cluster or authority; move it away, "+
			"or put its authority back", issuer.Cert.Subject, Fingerprint(issuer.Cert.PublicKey), err)
	}
	return nil
}

func (p Pair) usable(now time.Time) error {
	switch {
	case p.Key == nil:
		return fmt.Errorf("%w: its key is missing", ErrStale)
	case now.After(p.Cert.NotAfter):
		return fmt.Errorf("%w: it expired on %s", ErrStale, date(p.Cert.NotAfter))
	case now.Before(p.Cert.NotBefore):
		return fmt.Errorf("%w: it is not valid before %s", ErrStale, date(p.Cert.NotBefore))
	}
	return nil
}

// subject wants all groups and, where we could issue it again, no others: groups are rights. What
// else an external authority gives to its clients is its own business.
func (p Pair) subject(spec Spec, issuer Pair) error {
	has := p.Cert.Subject
	external := issuer.Cert != nil && issuer.Key == nil
	if has.CommonName == spec.CommonName && within(spec.Organization, has.Organization) &&
		(external || within(has.Organization, spec.Organization)) {
		return nil
	}
	return fmt.Errorf("%w: its subject is %s, wanted are CN=%s and O=%s",
		ErrStale, has, spec.CommonName, strings.Join(spec.Organization, ","))
}

func (p Pair) names(spec Spec) error {
	wanted := slices.Clone(spec.DNSNames)
	for _, ip := range spec.IPs {
		wanted = append(wanted, ip.String())
	}
	lacking := slices.DeleteFunc(wanted, func(name string) bool { return p.Cert.VerifyHostname(name) == nil })
	if len(lacking) > 0 {
		return fmt.Errorf("%w: it is not valid for %s", ErrStale, strings.Join(lacking, ", "))
	}
	return nil
}

func (p Pair) usages(spec Spec) error {
	if slices.Contains(p.Cert.ExtKeyUsage, x509.ExtKeyUsageAny) || within(spec.Usages, p.Cert.ExtKeyUsage) {
		return nil
	}
	return fmt.Errorf("%w: it may not be used as wanted (server, client)", ErrStale)
}

func within[T comparable](part, whole []T) bool {
	return !slices.ContainsFunc(part, func(v T) bool { return !slices.Contains(whole, v) })
}

func pool(certs []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}

func date(t time.Time) string { return t.UTC().Format(time.RFC3339) }
