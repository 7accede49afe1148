package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"
)

// leaveWithin is the time for those who stay to agree that a member is gone, which takes an election if it led them.
const leaveWithin = 30 * time.Second

// Drop takes a member out through the others, and waits until they have a quorum without it. A leader hands over before.
// Whether the member may go is for the caller to ask. tell gets the reason for the wait.
func (c Cluster) Drop(ctx context.Context, id uint64, trust *tls.Config, tell func(reason string)) error {
	rest := c
	rest.Members = slices.DeleteFunc(slices.Clone(c.Members), func(p Peer) bool { return p.ID == id })
	if p, _ := c.ByID(id); p.Leads && p.Err == nil {
		if err := c.HandOver(ctx, id, trust, tell); err != nil {
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
