// Package certs keeps a set of X.509 certificates and keys complete: it takes what should be
// there (Request) and what is there (Pair), keeps all that still fits, and issues the rest.
//
// It knows keys, PEM, chains, validity and names. It does not know Kubernetes, nor where a
// file lies: pairs go by the names of their requests, bytes come in and bytes go out. A pair
// that was read keeps its bytes as they were, so that what did not change is never written
// again. An authority without its key (an external CA) is as good as any other until
// something has to be signed.
package certs

import (
	"cmp"
	"crypto/x509"
	"net/netip"
	"time"
)

// Algorithm is the kind and size of a key.
type Algorithm string

// The algorithms that keys can be drawn for. Others can be read, if they are RSA or ECDSA.
const (
	RSA2048   Algorithm = "RSA-2048"
	RSA3072   Algorithm = "RSA-3072"
	RSA4096   Algorithm = "RSA-4096"
	ECDSAP256 Algorithm = "ECDSA-P256"
	ECDSAP384 Algorithm = "ECDSA-P384"
)

// Spec is what a certificate should say.
type Spec struct {
	// CommonName must not be empty.
	CommonName string
	// Organization are the groups of a client. Their order does not matter.
	Organization []string
	// DNSNames may hold wildcards.
	DNSNames []string
	IPs      []netip.Addr
	// Usages are none for an authority, at least one for a leaf.
	Usages    []x509.ExtKeyUsage
	CA        bool
	Algorithm Algorithm
	// Validity counts from now; the end is never later than the issuer's.
	Validity time.Duration
}

// Request asks for a pair.
type Request struct {
	Name string
	// Label is what errors call the pair, its file perhaps; Name if empty.
	Label string
	Spec  Spec
	// Issuer is the name of an earlier request; empty means self-signed.
	Issuer string
}

func (r Request) label() string { return cmp.Or(r.Label, r.Name) }
