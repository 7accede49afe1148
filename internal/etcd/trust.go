package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"time"

	"google.golang.org/grpc/credentials"
)

// trusting is how a server of that name is verified.
type trusting func(name string) *tls.Config

// strictly verifies all that there is to verify.
func strictly(trust *tls.Config) trusting {
	return func(name string) *tls.Config {
		c := trust.Clone()
		c.ServerName = name
		return c
	}
}

// tolerantly takes a certificate that has expired, too, if it was good while it was valid: chain, name and purpose are
// verified all the same. Who asks how the members are, and whether one may go, has to get an answer from those that
// nobody else talks to any more.
func tolerantly(trust *tls.Config) trusting {
	return func(name string) *tls.Config {
		c := strictly(trust)(name)
		if c.InsecureSkipVerify {
			return c
		}
		c.InsecureSkipVerify = true // VerifyConnection does the same, by another clock
		c.VerifyConnection = func(s tls.ConnectionState) error { return verifyWhileValid(s, c.RootCAs, name) }
		return c
	}
}

// verifyWhileValid verifies the server's certificate as of now, or where that has expired, as of its end.
func verifyWhileValid(s tls.ConnectionState, roots *x509.CertPool, name string) error {
	leaf, at := s.PeerCertificates[0], time.Now()
	if leaf.NotAfter.Before(at) {
		at = leaf.NotAfter
	}
	between := x509.NewCertPool()
	for _, cert := range s.PeerCertificates[1:] {
		between.AddCert(cert)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: name, CurrentTime: at})
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
	}
	return nil
}

// named are credentials by which each server is verified by its own name, which gRPC tells for each connection.
type named struct {
	credentials.TransportCredentials
	trust trusting
}

func credentialsOf(trust trusting) credentials.TransportCredentials {
	return named{credentials.NewTLS(trust("")), trust}
}

// ClientHandshake is the handshake with the server that gRPC calls authority: host and port.
func (n named) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	host, _, err := net.SplitHostPort(authority)
	if err != nil {
		host = authority
	}
	return credentials.NewTLS(n.trust(host)).ClientHandshake(ctx, authority, conn)
}

func (n named) Clone() credentials.TransportCredentials { return n }
