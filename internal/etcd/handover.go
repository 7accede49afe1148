package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"
)

// handOverWithin is the time for another member to lead, and for all to know.
const handOverWithin = 10 * time.Second

// HandOver has another member lead in the place of the one of that ID, and returns when the healthy voters agree that it does
// not lead any more. If it does not lead, or is alone, there is nothing to do. tell gets the reason for the wait.
func (c Cluster) HandOver(ctx context.Context, id uint64, trust *tls.Config, tell func(reason string)) error {
	p, exists := c.ByID(id)
	if !exists || !p.Leads || len(c.Voters()) == 1 {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, handOverWithin)
	defer stop()
	rest := c
	rest.Members = slices.DeleteFunc(slices.Clone(c.Members), func(o Peer) bool { return o.ID == id })
	if err := rest.succeed(ctx, p, trust); err != nil {
		return err
	}
	for {
		err := c.followed(ctx, id, trust)
		if err == nil {
			return nil
		}
		tell(err.Error())
		if !pause(ctx) {
			return err
		}
	}
}

// followed is nil if one of the healthy voters leads, and it is not the one of that ID.
func (c Cluster) followed(ctx context.Context, id uint64, trust *tls.Config) error {
	now, err := Survey(ctx, c.Endpoints(), trust)
	if err != nil {
		return err
	}
	leads := false
	for _, p := range now.Voters() {
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
