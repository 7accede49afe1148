package main

import (
	"strings"
	"testing"

	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/sandbox"
	"tripod.dev/tripod/phases"
)

// Who is not a member any more joins again; two clusters that each count on the same masters are not chosen between; and
// what nobody says is no reason for anything.
func TestAccounts(t *testing.T) {
	t.Parallel()
	s := box(t)
	const cluster = 7
	ids := map[string]phases.Membership{}
	peer := map[string]etcd.Peer{}
	for i, m := range s.Masters {
		peer[m.Name] = etcd.Peer{ID: uint64(i + 1), Name: s.Node(m)}
		ids[m.Name] = phases.Membership{Cluster: etcd.FormatID(cluster), Member: etcd.FormatID(uint64(i + 1))}
	}
	of := func(names ...string) etcd.Cluster {
		c := etcd.Cluster{ID: cluster}
		for _, name := range names {
			c.Members = append(c.Members, peer[name])
		}
		return c
	}
	all := of("m1", "m2", "m3")
	for name, tt := range map[string]struct {
		views  map[string]etcd.Cluster
		out    string
		parted string
		whole  bool
	}{
		"all are well":            {map[string]etcd.Cluster{"m1": all, "m2": all, "m3": all}, "", "", true},
		"nobody answers":          {nil, "", "", false},
		"one does not answer":     {map[string]etcd.Cluster{"m1": all, "m2": all}, "", "", false},
		"one was taken out":       {map[string]etcd.Cluster{"m1": of("m1", "m2"), "m2": of("m1", "m2")}, "m3", "", true},
		"the first began anew":    {map[string]etcd.Cluster{"m1": of("m1"), "m2": all, "m3": all}, "m2 m3", "", true},
		"another one began anew":  {map[string]etcd.Cluster{"m1": all, "m2": all, "m3": of("m3")}, "", "stop --name box m3, move ", true},
		"of a cluster of its own": {map[string]etcd.Cluster{"m1": {ID: 8, Members: all.Members[:1]}, "m2": all}, "", "two clusters", false},
	} {
		a := accounts{sandbox: s, wanted: s.Masters, ids: ids, views: tt.views}
		var out []sandbox.Master
		for _, m := range s.Masters {
			if a.out(m) {
				out = append(out, m)
			}
		}
		err := a.parted()
		if names(out) != tt.out || a.whole() != tt.whole || (err == nil) != (tt.parted == "") || err != nil && !strings.Contains(err.Error(), tt.parted) {
			t.Errorf("%s: out %q, whole %v, %v", name, names(out), a.whole(), err)
		}
	}
}
