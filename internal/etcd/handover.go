package etcd

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"
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
// lost without a word, and times out (raft: stepLeader, leadTransferee). So few writes are to come by others, none is to be under way,
// and the new leader is to have what the old one has.
func (c Cluster) succeed(ctx context.Context, p Peer, trust *tls.Config) error {
	others := slices.DeleteFunc(c.healthyVoters(), func(o Peer) bool { return o.ID == p.ID })
	if len(others) == 0 || len(p.ClientURLs) == 0 {
		return errors.New("nobody else can lead")
	}
	written := writtenThrough(ctx, others, trust)
	next := slices.MaxFunc(others, func(a, b Peer) int {
		return cmp.Or(cmp.Compare(written[a.ID], written[b.ID]), cmp.Compare(a.RaftIndex, b.RaftIndex))
	})
	ctx, stop := context.WithTimeout(ctx, changeTimeout)
	defer stop()
	leader, err := dial(ctx, p.ClientURLs[0], tolerantly(trust))
	if err != nil {
		return err
	}
	defer leader.Close()
	follower, err := dial(ctx, next.ClientURLs[0], tolerantly(trust))
	if err != nil {
		return err
	}
	defer follower.Close()
	leader.awaitMoment(ctx, follower)
	if _, err = leader.client.MoveLeader(ctx, next.ID); err != nil {
		return fmt.Errorf("%s does not hand over to %s: %w", p, next, err)
	}
	return nil
}

const (
	// lull is how long a log has not grown in between two writes: most clients write less than 50 times a second.
	lull = 20 * time.Millisecond
	// momentWithin is how long a good moment is waited for.
	momentWithin = 1200 * time.Millisecond
)

// awaitMoment returns when nobody writes just now and next has all that the leader m has, or when there is no such moment in time.
func (m *Member) awaitMoment(ctx context.Context, next *Member) {
	ctx, stop := context.WithTimeout(ctx, momentWithin)
	defer stop()
	var last uint64
	grown := time.Now()
	for {
		now, err := m.Status(ctx)
		if err != nil {
			return
		}
		if now.RaftIndex != last {
			last, grown = now.RaftIndex, time.Now()
		}
		if time.Since(grown) < lull {
			continue
		}
		if has, err := next.Status(ctx); err != nil || has.RaftIndex >= last {
			return
		}
	}
}
