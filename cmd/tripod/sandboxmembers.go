package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/internal/sandbox"
	"tripod.dev/tripod/phases"
)

const (
	// membersWithin is the time that etcd has to elect a leader and to say who is of it.
	membersWithin = 10 * time.Second
	membersEvery  = 100 * time.Millisecond
)

// takenOut moves the masters that etcd has taken out of its members from those that come back as they are to those that
// join. What can't be known yet is no reason: then they come back as they are, and say themselves what keeps them from it.
func (r *raising) takenOut(ctx context.Context, known, fresh []sandbox.Master) (still, join []sandbox.Master, err error) {
	if len(r.sandbox.Masters) == 1 || len(known) == 0 {
		return known, fresh, nil
	}
	of := r.accounts(ctx, known)
	if err := of.parted(); err != nil {
		return nil, nil, err
	}
	for _, m := range known {
		if of.out(m) {
			fresh = append(fresh, m)
		} else {
			still = append(still, m)
		}
	}
	r.counted = still
	return still, fresh, nil
}

// accounts are what the members of a sandbox's masters say of etcd.
type accounts struct {
	sandbox sandbox.Sandbox
	// wanted are the masters of whom it is to be known.
	wanted []sandbox.Master
	// ids are the members that the masters remember to be, by name.
	ids map[string]phases.Membership
	// views are the clusters that they see, by name. A member without a quorum has none.
	views map[string]etcd.Cluster
}

// accounts asks all until there is enough of those that are wanted, or the time is over.
func (r *raising) accounts(ctx context.Context, wanted []sandbox.Master) accounts {
	ctx, stop := context.WithTimeout(ctx, membersWithin)
	defer stop()
	of := accounts{sandbox: *r.sandbox, wanted: wanted, ids: map[string]phases.Membership{}, views: map[string]etcd.Cluster{}}
	for _, m := range wanted { // what is damaged is told when it is read for use
		of.ids[m.Name], _ = phases.MemberHere(host.Open("/"), config.Config{Paths: of.sandbox.Paths(m)})
	}
	for !of.whole() {
		of.look(ctx)
		select {
		case <-ctx.Done():
			return of
		case <-time.After(membersEvery):
		}
	}
	return of
}

// look asks those once that have not given an account yet.
func (of accounts) look(ctx context.Context) {
	for _, m := range of.sandbox.Masters {
		if _, known := of.views[m.Name]; known {
			continue
		}
		trust, err := etcdTrust(of.sandbox.Paths(m).PKI)
		if err != nil {
			continue
		}
		if c, err := etcd.Survey(ctx, []string{clientURL(m)}, trust); err == nil && c.Quorum() == nil {
			of.views[m.Name] = c
		}
	}
}

// whole says whether nothing more is to be learned: whoever is not a member any more has no account to give.
func (of accounts) whole() bool {
	return !slices.ContainsFunc(of.wanted, func(m sandbox.Master) bool {
		_, known := of.views[m.Name]
		return !known && !of.out(m)
	})
}

// first is the account that counts: that of the first master which gives one.
func (of accounts) first() (sandbox.Master, etcd.Cluster, bool) {
	for _, m := range of.sandbox.Masters {
		if c, known := of.views[m.Name]; known {
			return m, c, true
		}
	}
	return sandbox.Master{}, etcd.Cluster{}, false
}

// out says whether the cluster that counts does not have the master among its members, and it was of that very cluster.
func (of accounts) out(m sandbox.Master) bool {
	id := of.ids[m.Name]
	_, c, known := of.first()
	if !known || id == (phases.Membership{}) || id.Cluster != etcd.FormatID(c.ID) {
		return false
	}
	return !slices.ContainsFunc(c.Members, func(p etcd.Peer) bool { return etcd.FormatID(p.ID) == id.Member })
}

// parted is the error of a master whose member sees others than the cluster that counts, which in turn counts on it: both go
// on, and whose data are to stay is not for tripod to say.
func (of accounts) parted() error {
	one, c, _ := of.first()
	for _, m := range of.wanted {
		theirs, known := of.views[m.Name]
		if !known || theirs.ID == c.ID && memberNames(theirs) == memberNames(c) || of.out(m) {
			continue
		}
		return fmt.Errorf("etcd on %s has the members %s, on %s %s: two clusters, each with data that the other lacks\n"+
			"hint: only you know which data are to stay. Where it is those of %s: tripod sandbox stop --name %s %s, move %s away, and start it: it joins again",
			one.Name, memberNames(c), m.Name, memberNames(theirs), one.Name, of.sandbox.Name, m.Name, of.sandbox.Root(m))
	}
	return nil
}

func memberNames(c etcd.Cluster) string {
	var all []string
	for _, p := range c.Members {
		all = append(all, p.String())
	}
	return strings.Join(all, ", ")
}

// peers are where etcd members are reached by whom m joins: those that count, where that is known.
func (r *raising) peers(m sandbox.Master) []string {
	s := *r.sandbox
	if len(r.counted) > 0 {
		s.Masters = r.counted
	}
	return peers(s, m)
}

func clientURL(m sandbox.Master) string { return fmt.Sprintf("https://%s:2379", m.Address) }
