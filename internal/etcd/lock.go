package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

const (
	// lockPrefix is where those who change members or versions queue, beside Kubernetes' own /registry.
	lockPrefix = "/tripod.dev/lock"
	// lockSeconds is how long the lock outlives a holder that was killed.
	lockSeconds = 10
	// lookEvery is how often those who wait look whom they wait for.
	lookEvery = 250 * time.Millisecond
	// releaseWithin is the time for giving the lock back; its lease ends anyway.
	releaseWithin = 2 * time.Second
)

// Holder is who holds the lock of a cluster, or wants it.
type Holder struct {
	// Node is the master's name, Address where its peers reach it: together they are one machine.
	Node, Address string
	// Verb is what it is doing.
	Verb  string
	Since time.Time
}

func (h Holder) String() string {
	return fmt.Sprintf("%s (tripod %s, since %s)", h.Node, h.Verb, h.Since.Local().Format(time.TimeOnly))
}

// ErrLockLost ends the context of a holder whose lease has ended: it could not reach a majority in time.
var ErrLockLost = errors.New("the lock in etcd was lost: no majority of its members could be reached for " + strconv.Itoa(lockSeconds) + " s\nhint: run it again")

// A Lock is held by one master at a time.
type Lock struct {
	// locked ends with it.
	locked context.Context
	lost   context.CancelCauseFunc
	keeper *Voters
	// key is there as long as it is held, since the revision that is its own alone; the lease keeps it.
	key     string
	since   int64
	session *concurrency.Session
}

// Lock waits until h may change members or versions: one master at a time, in the order in which they came. tell gets
// the reason for the wait. v is closed with the lock. One that an earlier run on the same machine left behind, killed, is
// taken over: who calls has to be the only tripod on it.
//
// Once it is held it is kept through others, which are closed with it, if there are any: then nothing leads to v any more. An
// etcd that is to end waits seconds for who listens to it.
func (v *Voters) Lock(ctx context.Context, h Holder, others *Voters, tell func(reason string)) (*Lock, error) {
	if err := v.forget(ctx, h); err != nil {
		return nil, err
	}
	session, err := v.session(ctx)
	if err != nil {
		return nil, err
	}
	election := concurrency.NewElection(session, lockPrefix)
	if err := v.campaign(ctx, election, h, tell); err != nil {
		v.release(ctx, session.Lease())
		session.Orphan()
		return nil, err
	}
	keeper, kept := v, session
	if others != nil {
		if kept, err = others.session(ctx, concurrency.WithLease(session.Lease())); err != nil {
			v.release(ctx, session.Lease())
			return nil, err
		}
		session.Orphan()
		_ = v.Close()
		keeper = others
	}
	l := &Lock{keeper: keeper, key: election.Key(), since: election.Rev(), session: kept}
	l.locked, l.lost = context.WithCancelCause(ctx)
	go l.watch()
	return l, nil
}

// watch ends the context when the session has ended.
func (l *Lock) watch() {
	select {
	case <-l.session.Done():
		l.lost(ErrLockLost)
	case <-l.locked.Done():
	}
}

// Context ends with the lock: by ErrLockLost, if it was not given back.
func (l *Lock) Context() context.Context { return l.locked }

// Unlock gives the lock back.
func (l *Lock) Unlock() {
	l.lost(nil)
	l.keeper.release(l.locked, l.session.Lease())
	l.session.Orphan()
	_ = l.keeper.Close() // nothing else was written through it
}

// heldWithin is how long is tried to find out whether a lock is held: members may be electing a leader.
const heldWithin = lockSeconds * time.Second / 2

// Held is nil if the lock is held still, and for as long again as its lease lasts. A process that has stood still for longer
// than that finds it out here, before it does anything: its context ends a moment too late. What can not be asked is an error.
func (l *Lock) Held(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, heldWithin)
	defer stop()
	for {
		held, err := l.renewed(ctx)
		switch {
		case err == nil && held:
			return nil
		case err == nil:
			l.lost(ErrLockLost)
			return ErrLockLost
		case !pause(ctx):
			return fmt.Errorf("whether the lock in etcd is held still is not known: %w", err)
		}
	}
}

// renewed reports whether the lease is there still, renews it, and whether the key is its.
func (l *Lock) renewed(ctx context.Context) (bool, error) {
	ctx, stop := context.WithTimeout(ctx, readTimeout)
	defer stop()
	_, err := l.keeper.client.KeepAliveOnce(ctx, l.session.Lease())
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	now, err := l.keeper.client.Get(ctx, l.key)
	if err != nil {
		return false, err
	}
	return len(now.Kvs) == 1 && now.Kvs[0].CreateRevision == l.since, nil
}

func (v *Voters) session(ctx context.Context, more ...concurrency.SessionOption) (*concurrency.Session, error) {
	options := append([]concurrency.SessionOption{concurrency.WithTTL(lockSeconds), concurrency.WithContext(context.WithoutCancel(ctx))}, more...)
	session, err := concurrency.NewSession(v.client, options...)
	if err != nil {
		return nil, fmt.Errorf("taking the lock in etcd: %w", err)
	}
	return session, nil
}

// release gives a lease back at once, whatever has become of ctx.
func (v *Voters) release(ctx context.Context, lease clientv3.LeaseID) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), releaseWithin)
	defer stop()
	_, _ = v.client.Revoke(ctx, lease) // or it ends by itself
}

// campaign waits for its turn, and meanwhile tells for whom.
func (v *Voters) campaign(ctx context.Context, e *concurrency.Election, h Holder, tell func(string)) error {
	value, err := json.Marshal(h)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(lookEvery):
				if holder, err := v.holder(ctx); err == nil && holder.Node != "" && holder.Node != h.Node {
					tell("it is the turn of " + holder.String())
				}
			}
		}
	}()
	if err := e.Campaign(ctx, string(value)); err != nil {
		return fmt.Errorf("waiting for the lock in etcd: %w", err)
	}
	return nil
}

// holder is who holds the lock; the zero Holder if nobody does.
func (v *Voters) holder(ctx context.Context) (Holder, error) {
	first, err := v.client.Get(ctx, lockPrefix+"/", clientv3.WithFirstCreate()...)
	if err != nil || len(first.Kvs) == 0 {
		return Holder{}, err
	}
	var h Holder
	return h, json.Unmarshal(first.Kvs[0].Value, &h)
}

// forget ends the leases of earlier runs on the same machine.
func (v *Voters) forget(ctx context.Context, h Holder) error {
	ctx, stop := context.WithTimeout(ctx, changeTimeout)
	defer stop()
	all, err := v.client.Get(ctx, lockPrefix+"/", clientv3.WithPrefix())
	if err != nil {
		return fmt.Errorf("looking at the lock in etcd: %w", err)
	}
	for _, kv := range all.Kvs {
		var old Holder
		if json.Unmarshal(kv.Value, &old) == nil && old.Node == h.Node && old.Address == h.Address {
			v.release(ctx, clientv3.LeaseID(kv.Lease))
		}
	}
	return nil
}
