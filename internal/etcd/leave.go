package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// leaveWithin is the time for those who stay to agree that a member is gone, which takes an election if it led them.
const leaveWithin = 30 * time.Second

// Drop takes a member out through the others, and waits until they have a quorum without it. A leader hands over before.
// Whether the member may go is for the caller to ask. tell gets the reason for the wait.
func (c Cluster) Drop(ctx context.Context, id uint64, trust *tls.Config, tell func(reason string)) error {
	rest := c
	rest.Members = slices.DeleteFunc(slices.Clone(c.Members), func(p Peer) bool { return p.ID == id })
	if p, _ := c.ByID(id); p.Leads && p.Err == nil {
		if err := rest.succeed(ctx, p, trust); err != nil {
			tell(fmt.Sprintf("the leader does not hand over, and is removed all the same: %v", err))
		}
	}
	voters, err := rest.Connect(trust)
	if err != nil {
		return err
	}
	defer voters.Close()
	ctx, stop := context.WithTimeout(ctx, leaveWithin)
	defer stop()
	for err := voters.Remove(ctx, id); err != nil; err = voters.Remove(ctx, id) {
		if !errors.Is(err, ErrUnsettled) {
			return err
		}
		tell(err.Error())
		if !pause(ctx) {
			return err
		}
	}
	return rest.settle(ctx, id, trust, tell)
}

// pause is false if ctx ends.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(lookEvery):
		return true
	}
}

// succeed has the healthy voter with the longest log lead in the place of p.
func (c Cluster) succeed(ctx context.Context, p Peer, trust *tls.Config) error {
	healthy := slices.DeleteFunc(c.Voters(), func(o Peer) bool { return o.Err != nil })
	if len(healthy) == 0 || len(p.ClientURLs) == 0 {
		return errors.New("nobody else can")
	}
	next := slices.MaxFunc(healthy, func(a, b Peer) int { return int(a.RaftIndex) - int(b.RaftIndex) })
	leader, err := Dial(ctx, p.ClientURLs[0], trust)
	if err != nil {
		return err
	}
	defer leader.Close()
	ctx, stop := context.WithTimeout(ctx, changeTimeout)
	defer stop()
	leader.awaitEntry(ctx)
	_, err = leader.client.MoveLeader(ctx, next.ID)
	return err
}

// entryWithin is how long an entry of the log is waited for.
const entryWithin = 200 * time.Millisecond

// awaitEntry returns when the log has just grown, or does not. etcd drops what is proposed during the millisecond of an election
// (raft: ErrProposalDropped), and who writes at an even pace does not write again at once.
func (m *Member) awaitEntry(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, entryWithin)
	defer stop()
	first, err := m.Status(ctx)
	for err == nil {
		var now *clientv3.StatusResponse
		if now, err = m.Status(ctx); err == nil && now.RaftIndex > first.RaftIndex {
			return
		}
	}
}

// settle waits until the members have a quorum, and the one of that ID is none of them.
func (c Cluster) settle(ctx context.Context, id uint64, trust *tls.Config, tell func(string)) error {
	for {
		now, err := Survey(ctx, c.Endpoints(), trust)
		if err == nil {
			err = now.Quorum()
		}
		if _, still := now.ByID(id); err == nil && still {
			err = fmt.Errorf("member %s is listed still", FormatID(id))
		}
		if err == nil {
			return nil
		}
		tell(err.Error())
		if !pause(ctx) {
			return fmt.Errorf("etcd member %s is removed, but: %w", FormatID(id), err)
		}
	}
}
