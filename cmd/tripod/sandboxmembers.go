package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
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
	seen, err := r.views(ctx, known)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range known {
		if out(*r.sandbox, m, seen) {
			fresh = append(fresh, m)
		} else {
			still = append(still, m)
		}
	}
	return still, fresh, nil
}

// out says whether a cluster with a quorum, of which the master was, does not count it among its members.
func out(s sandbox.Sandbox, m sandbox.Master, seen *etcd.Cluster) bool {
	id, err := phases.MemberHere(host.Open("/"), config.Config{Paths: s.Paths(m)})
	if err != nil || id == (phases.Membership{}) || seen == nil || id.Cluster != etcd.FormatID(seen.ID) {
		return false
	}
	return !slices.ContainsFunc(seen.Members, func(p etcd.Peer) bool { return etcd.FormatID(p.ID) == id.Member })
}

// views is etcd as its members see it, when they have a quorum; nil if they do not get one soon. Members that do not see the
// same are an error: which of their data count is not for tripod to say.
func (r *raising) views(ctx context.Context, known []sandbox.Master) (*etcd.Cluster, error) {
	ctx, stop := context.WithTimeout(ctx, membersWithin)
	defer stop()
	for {
		seen, enough, err := r.look(ctx, known)
		if err != nil || enough {
			return seen, err
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(membersEvery):
		}
	}
}

// look asks the member of each master once. It is enough when there is a quorum of the members, all of them healthy that there are.
func (r *raising) look(ctx context.Context, known []sandbox.Master) (seen *etcd.Cluster, enough bool, err error) {
	lists := map[string][]string{}
	for _, m := range known {
		trust, err := etcdTrust(r.sandbox.Paths(m).PKI)
		if err != nil {
			continue
		}
		c, err := etcd.Survey(ctx, []string{clientURL(m)}, trust)
		if err != nil || c.Quorum() != nil {
			continue
		}
		list := memberNames(c)
		lists[list] = append(lists[list], m.Name)
		seen = &c
	}
	if len(lists) > 1 {
		return nil, false, r.parted(lists)
	}
	return seen, seen != nil, nil
}

func memberNames(c etcd.Cluster) string {
	var all []string
	for _, p := range c.Members {
		all = append(all, p.String())
	}
	return strings.Join(all, ", ")
}

// parted is the error of masters that are of clusters of their own.
func (r *raising) parted(lists map[string][]string) error {
	var texts []string
	for _, list := range slices.Sorted(maps.Keys(lists)) {
		texts = append(texts, fmt.Sprintf("that of %s has %s", strings.Join(lists[list], " and "), list))
	}
	one := r.sandbox.Masters[len(r.sandbox.Masters)-1]
	return fmt.Errorf("the masters are of etcd clusters that do not know each other: %s\n"+
		"hint: only you know whose data count. Stop the others (tripod sandbox stop --name %s %s), move their folders away (%s), and start them: they join again",
		strings.Join(texts, ", "), r.sandbox.Name, one.Name, filepath.Join(r.sandbox.Root(one)))
}

func clientURL(m sandbox.Master) string { return fmt.Sprintf("https://%s:2379", m.Address) }
