package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// changeTimeout is the time for one change of members.
const changeTimeout = 5 * time.Second

// Voters is a connection to the healthy voters of a cluster, any of which carries out what it is asked for. It asks
// another where one ends.
type Voters struct{ client *clientv3.Client }

// Connect connects to the healthy voters.
func (c Cluster) Connect(trust *tls.Config) (*Voters, error) {
	by := tolerantly(trust)
	client, err := clientv3.New(clientv3.Config{
		Endpoints: c.Endpoints(), TLS: by(""), Logger: zap.NewNop(),
		DialOptions:       []grpc.DialOption{grpc.WithNoProxy(), grpc.WithTransportCredentials(credentialsOf(by))},
		DialKeepAliveTime: 2 * time.Second, DialKeepAliveTimeout: 2 * time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("connecting to etcd: %w", err)
	}
	return &Voters{client}, nil
}

// Close ends the connection.
func (v *Voters) Close() error { return v.client.Close() }

// ErrUnsettled is a cluster whose members can not be changed yet: etcd wants all voters, or to remove one a majority, to
// have been connected for five seconds (server.go, HealthInterval), and one has just got its vote.
var ErrUnsettled = errors.New("etcd changes its members once its voters have been connected for 5s")

// Add adds a learner whose peers will reach it at peerURL, and returns its ID.
func (v *Voters) Add(ctx context.Context, peerURL string) (id uint64, err error) {
	ctx, stop := context.WithTimeout(ctx, changeTimeout)
	defer stop()
	added, err := v.client.MemberAddAsLearner(ctx, []string{peerURL})
	if errors.Is(err, rpctypes.ErrUnhealthy) {
		return 0, ErrUnsettled
	}
	if err != nil {
		return 0, fmt.Errorf("adding %s to etcd as a learner: %w", peerURL, err)
	}
	return added.Member.ID, nil
}

// ErrBehind is a learner that can't get a vote yet: its log is too short, or it does not run.
var ErrBehind = errors.New("the learner has not caught up with the leader yet")

// Promote gives the learner its vote. One that has it already is fine.
func (v *Voters) Promote(ctx context.Context, id uint64) error {
	ctx, stop := context.WithTimeout(ctx, changeTimeout)
	defer stop()
	_, err := v.client.MemberPromote(ctx, id)
	switch {
	case err == nil, errors.Is(err, rpctypes.ErrMemberNotLearner):
		return nil
	case errors.Is(err, rpctypes.ErrMemberLearnerNotReady):
		return ErrBehind
	}
	return fmt.Errorf("promoting etcd member %s: %w", FormatID(id), err)
}

// Remove takes the member out of the cluster. One that is not in it is fine.
func (v *Voters) Remove(ctx context.Context, id uint64) error {
	ctx, stop := context.WithTimeout(ctx, changeTimeout)
	defer stop()
	_, err := v.client.MemberRemove(ctx, id)
	if errors.Is(err, rpctypes.ErrUnhealthy) {
		return ErrUnsettled
	}
	if err != nil && !errors.Is(err, rpctypes.ErrMemberNotFound) {
		return fmt.Errorf("removing etcd member %s: %w", FormatID(id), err)
	}
	return nil
}
