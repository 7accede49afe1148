package phases

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/manifests"
)

// Expiration is until when a certificate of this master is valid.
type Expiration struct {
	// Name is the one by which it is renewed, kubeadm's: etcd-server for etcd/server.
	Name string
	// File is where it lies: a certificate, a kubeconfig, or the file that the kubelet rotates.
	File string
	// Authority is the Name of the authority that signed it; empty for an authority, and for what another one signed.
	Authority string
	// NotAfter is zero where there is no certificate, or none that can be read.
	NotAfter time.Time
	// Missing says that there is no such file.
	Missing bool
	// External says that the authority, or that of a leaf, has no key here.
	External bool
	// Err is why the file can not be read, with its name; nil if it can, or is not there.
	Err error
	// Used says whether the component that runs serves this certificate; nil where none answers, or none serves it.
	Used *bool

	pair string
	cert *x509.Certificate
}

// IsAuthority says whether it is that of an authority.
func (e Expiration) IsAuthority() bool {
	return slices.ContainsFunc(sharedAuthorities(), func(pair string) bool { return listedName(pair) == e.Name })
}

// Within says whether it ends, or has ended, by that time. What is not there does not end.
func (e Expiration) Within(end time.Time) bool { return !e.NotAfter.IsZero() && !e.NotAfter.After(end) }

// A certificate of a year is about to end when a month is left of it, and any that lives shorter in the last third of its life.
const (
	renewedBefore  = 30 * 24 * time.Hour
	renewedInThird = 3
)

// Due says whether it is a certificate that can be renewed here, and has ended or is about to.
func (e Expiration) Due(now time.Time) bool {
	if e.cert == nil || e.External || !Renewing("all")(e.pair) {
		return false
	}
	life := e.cert.NotAfter.Sub(e.cert.NotBefore)
	return e.cert.NotAfter.Sub(now) < min(renewedBefore, life/renewedInThird)
}

// Pair is the name by which Wish.Renew knows it.
func (e Expiration) Pair() string { return e.pair }

// FirstEnds are when the first of each component's certificates ends.
func FirstEnds(all []Expiration) map[string]time.Time {
	first := map[string]time.Time{}
	for _, component := range manifests.Components() {
		for _, e := range all {
			known := first[component]
			if slices.Contains(leafs(component), e.pair) && !e.NotAfter.IsZero() && (known.IsZero() || e.NotAfter.Before(known)) {
				first[component] = e.NotAfter
			}
		}
	}
	return first
}

// storedCertificate is what lies on disk of a certificate.
type storedCertificate struct {
	path string
	// data is nil where there is no file; err is why it is not known.
	data []byte
	err  error
	// keyless is an authority's certificate without its key.
	keyless bool
}

// expirations are those of all that stored has by the name of the pair, in kubeadm's order: by Name. What kubeadm does not
// list is among them where it is there.
func expirations(c config.Config, stored map[string]storedCertificate) []Expiration {
	var all []Expiration
	authorities := map[string]Expiration{}
	for _, r := range pkiRequests(c) {
		s := stored[r.Name]
		if s.data == nil && s.err == nil && (notKubeadms(r.Name) || r.Name == kubeletConf) {
			continue
		}
		e := s.expiration(r)
		e.signedBy(authorities[r.Issuer])
		if r.Issuer == "" {
			authorities[r.Name] = e
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b Expiration) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (s storedCertificate) expiration(r certs.Request) Expiration {
	e := Expiration{Name: listedName(r.Name), File: s.path, Missing: s.data == nil && s.err == nil, pair: r.Name}
	if e.cert, e.Err = s.certificate(); e.Err != nil {
		return e
	}
	if e.cert != nil {
		e.NotAfter, e.External = e.cert.NotAfter, s.keyless
	}
	return e
}

// signedBy is told which authority the pair has in the table, which is zero for an authority. Those that kubeadm does not
// have may be signed by themselves, or by the kubelet's own.
func (e *Expiration) signedBy(authority Expiration) {
	if e.cert == nil {
		return
	}
	if notKubeadms(e.pair) && (authority.cert == nil || !bytes.Equal(e.cert.RawIssuer, authority.cert.RawSubject)) {
		return
	}
	e.Authority, e.External = authority.Name, e.External || authority.External
}

// certificate is the first one of the file, nil where there is none.
func (s storedCertificate) certificate() (*x509.Certificate, error) {
	switch {
	case s.data == nil || s.err != nil:
		return nil, s.err
	case filepath.Ext(s.path) != ".conf":
		p, err := certs.Parse(s.data, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.path, err)
		}
		return p.Cert, nil
	}
	k, err := readKubeconfig(s.data)
	if err == nil && k.client.Cert == nil {
		err = errors.New("the kubeconfig holds no client certificate")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	return k.client.Cert, nil
}

// listedName is the name by which a pair is listed, and renewed.
func listedName(pair string) string {
	for name, renewed := range renewable() {
		if renewed == pair {
			return name
		}
	}
	return uploadedName(pair)
}

// notKubeadms are the pairs that tripod adds to kubeadm's.
func notKubeadms(pair string) bool {
	return slices.Contains([]string{"kube-controller-manager", "kube-scheduler", kubeletServing}, pair)
}
