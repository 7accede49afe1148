// Package etcd knows the etcd cluster behind a control plane: how a member is reached and whether
// it is healthy. It knows the client protocol only; that members are pods, and where their
// certificates lie, it does not know.
package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// readTimeout is the time that one member has for one read.
const readTimeout = 2 * time.Second

// A Member is a connection to one member, kept from one question to the next.
type Member struct {
	client *clientv3.Client
	// dial opens and closes one connection, for the sake of the error.
	dial func(context.Context) error
	// ends is when the certificate does that the member serves.
	ends time.Time
}

// Dial connects to the member at endpoint, an https URL, as its clients do: a certificate that has expired is an error.
func Dial(ctx context.Context, endpoint string, trust *tls.Config) (*Member, error) {
	return dial(ctx, endpoint, strictly(trust))
}

// dial makes a TLS handshake of its own first: gRPC would tell a refused connection or a certificate that does not verify
// as a deadline that is over.
func dial(ctx context.Context, endpoint string, trust trusting) (*Member, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("etcd's endpoint: %w", err)
	}
	conn, err := shake(ctx, u.Host, trust)
	if err != nil {
		return nil, err
	}
	m := &Member{dial: handshake(u.Host, trust), ends: conn.ConnectionState().PeerCertificates[0].NotAfter}
	_ = conn.Close() // nothing was written through it
	m.client, err = clientv3.New(clientv3.Config{
		Endpoints: []string{endpoint},
		TLS:       trust(""),
		Logger:    zap.NewNop(),
		DialOptions: []grpc.DialOption{
			grpc.WithNoProxy(),
			grpc.WithTransportCredentials(credentialsOf(trust)),
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{
				BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, MaxDelay: 500 * time.Millisecond}}),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("connecting to etcd at %s: %w", u.Host, err)
	}
	return m, nil
}

// Close ends the connection.
func (m *Member) Close() error { return m.client.Close() }

// handshake is one TLS connection to address, closed as soon as it stands.
func handshake(address string, trust trusting) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := shake(ctx, address, trust)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

func shake(ctx context.Context, address string, trust trusting) (*tls.Conn, error) {
	ctx, stop := context.WithTimeout(ctx, readTimeout)
	defer stop()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connecting to etcd: %w", err)
	}
	name, _, _ := net.SplitHostPort(address)
	conn := tls.Client(raw, trust(name))
	err = conn.HandshakeContext(ctx)
	if err == nil {
		return conn, nil
	}
	_ = raw.Close()
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("etcd at %s accepts connections, but does not answer; one that starts serves nobody before it reaches a majority of its members", address)
	}
	return nil, fmt.Errorf("connecting to etcd at %s: %w", address, err)
}
