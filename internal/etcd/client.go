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
}

// Dial connects to the member at endpoint, an https URL. It makes a TLS handshake of its own first: gRPC would tell a
// refused connection or a certificate that does not verify as a deadline that is over.
func Dial(ctx context.Context, endpoint string, trust *tls.Config) (*Member, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("etcd's endpoint: %w", err)
	}
	m := &Member{dial: handshake(u.Host, trust)}
	if err := m.dial(ctx); err != nil {
		return nil, err
	}
	m.client, err = clientv3.New(clientv3.Config{
		Endpoints: []string{endpoint},
		TLS:       trust,
		Logger:    zap.NewNop(),
		DialOptions: []grpc.DialOption{
			grpc.WithNoProxy(),
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
func handshake(address string, trust *tls.Config) func(context.Context) error {
	trust = trust.Clone()
	trust.ServerName, _, _ = net.SplitHostPort(address)
	return func(ctx context.Context) error {
		ctx, stop := context.WithTimeout(ctx, readTimeout)
		defer stop()
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return fmt.Errorf("connecting to etcd: %w", err)
		}
		defer conn.Close()
		switch err := tls.Client(conn, trust).HandshakeContext(ctx); {
		case errors.Is(err, context.DeadlineExceeded):
			return fmt.Errorf("etcd at %s accepts connections, but does not answer; one that starts serves nobody before it reaches a majority of its members", address)
		case err != nil:
			return fmt.Errorf("connecting to etcd at %s: %w", address, err)
		}
		return nil
	}
}
