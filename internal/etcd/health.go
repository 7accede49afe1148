package etcd

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// Healthy makes one linearizable read through the member: nil only if it is a voter that hears from a majority.
// The error is the cause, where it can be found out: no connection, no leader, the read refused.
func (m *Member) Healthy(ctx context.Context) error {
	read, stop := context.WithTimeout(ctx, readTimeout)
	defer stop()
	_, err := m.client.Get(read, "health")
	if err == nil || errors.Is(err, rpctypes.ErrPermissionDenied) {
		return nil // with authentication on, the refusal has gone through consensus too
	}
	return m.cause(ctx, err)
}

// cause finds the reason behind a read that got no answer in time.
func (m *Member) cause(ctx context.Context, read error) error {
	if ctx.Err() != nil || !errors.Is(read, context.DeadlineExceeded) {
		return fmt.Errorf("reading from etcd: %w", read)
	}
	if err := m.dial(ctx); err != nil {
		return err
	}
	if err := m.leaderless(ctx); err != nil {
		return err
	}
	return fmt.Errorf("a linearizable read from etcd took longer than %s", readTimeout)
}

// leaderless asks the member for its own view, which it gives without a majority.
func (m *Member) leaderless(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, readTimeout)
	defer stop()
	status, err := m.client.Status(ctx, m.client.Endpoints()[0])
	if err != nil {
		return nil // no more is known than that the read failed
	}
	if status.Leader == 0 {
		return errors.New("the etcd member has no leader: it does not reach a majority of the members")
	}
	return nil
}
