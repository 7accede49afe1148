package etcd

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// handOverWithin is the time for another member to lead, and for all to know. It takes one round trip; where the next does not
// take over, an election timeout of etcd's, and another try.
const handOverWithin = 15 * time.Second

// HandOver has another voter lead in the place of the member of that ID, the healthy one with the longest log, and
// returns once another says that it leads, and it does not say so any more. It does nothing if that is so already, or if
// nobody else has a vote. tell gets the reason for the wait.
func (c Cluster) HandOver(ctx context.Context, id uint64, trust *tls.Config, tell func(reason string)) error {
	if len(c.Voters()) < 2 {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, handOverWithin)
	defer stop()
	for {
		err := c.handOver(ctx, id, trust)
		if err == nil {
			return nil
		}
		tell(err.Error())
		if !pause(ctx) {
			return fmt.Errorf("handing over the leadership of etcd member %s: %w", FormatID(id), err)
		}
	}
}

// handOver is one attempt. The members are asked anew: the leadership moves by itself, too.
func (c Cluster) handOver(ctx context.Context, id uint64, trust *tls.Config) error {
	now, err := Survey(ctx, c.Endpoints(), trust)
	if err != nil {
		return err
	}
	if p, _ := now.ByID(id); p.Leads {
		if err := now.succeed(ctx, p, trust); err != nil {
			return err
		}
		if now, err = Survey(ctx, c.Endpoints(), trust); err != nil {
			return err
		}
	}
	return now.ledByAnother(id)
}

// ledByAnother is nil if one of the healthy voters leads, and the one of that ID does not believe to lead.
func (c Cluster) ledByAnother(id uint64) error {
	leads := false
	for _, p := range c.Voters() {
		if p.ID == id && p.Leads {
			return fmt.Errorf("%s still leads", p)
		}
		leads = leads || p.Leads && p.Err == nil
	}
	if !leads {
		return errors.New("no member leads yet")
	}
	return nil
}

// succeed has the healthy voter lead in the place of p through which most is written, of several such the one with the longest
// log. A leader that hands over drops what is proposed: its own clients are told at once, what other members pass on to it is
// lost without a word, and times out (raft: stepLeader, leadTransferee). So few writes are to come by others, and the new leader
// is to have what the old one has.
func (c Cluster) succeed(ctx context.Context, p Peer, trust *tls.Config) error {
	others := slices.DeleteFunc(c.healthyVoters(), func(o Peer) bool { return o.ID == p.ID })
	if len(others) == 0 || len(p.ClientURLs) == 0 {
		return errors.New("nobody else can lead")
	}
	written := writtenThrough(ctx, others, trust)
	next := slices.MaxFunc(others, func(a, b Peer) int {
		return cmp.Or(cmp.Compare(written[a.ID], written[b.ID]), cmp.Compare(a.RaftIndex, b.RaftIndex))
	})
	leader, err := dial(ctx, p.ClientURLs[0], tolerantly(trust))
	if err != nil {
		return err
	}
	defer leader.Close()
	ctx, stop := context.WithTimeout(ctx, changeTimeout)
	defer stop()
	index := leader.awaitEntry(ctx)
	next.awaitIndex(ctx, index, trust)
	if _, err = leader.client.MoveLeader(ctx, next.ID); err != nil {
		return fmt.Errorf("%s does not hand over to %s: %w", p, next, err)
	}
	return nil
}

// entryWithin is how long an entry of the log is waited for.
const entryWithin = 200 * time.Millisecond

// awaitEntry returns when the log has just grown, or does not, with its end. etcd drops what is proposed during the millisecond of
// an election (raft: ErrProposalDropped), and who writes at an even pace does not write again at once.
func (m *Member) awaitEntry(ctx context.Context) (index uint64) {
	ctx, stop := context.WithTimeout(ctx, entryWithin)
	defer stop()
	first, err := m.Status(ctx)
	for err == nil {
		var now *clientv3.StatusResponse
		if now, err = m.Status(ctx); err == nil && now.RaftIndex > first.RaftIndex {
			return now.RaftIndex
		}
	}
	return 0
}

// awaitIndex returns when the member's log reaches so far, or does not in time.
func (p Peer) awaitIndex(ctx context.Context, index uint64, trust *tls.Config) {
	ctx, stop := context.WithTimeout(ctx, entryWithin)
	defer stop()
	m, err := dial(ctx, p.ClientURLs[0], tolerantly(trust))
	if err != nil {
		return
	}
	defer m.Close()
	for {
		if now, err := m.Status(ctx); err != nil || now.RaftIndex >= index {
			return
		}
	}
}
