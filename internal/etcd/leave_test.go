package etcd

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// The leader goes: it hands over first, and the other is a cluster of its own afterwards.
func TestDrop(t *testing.T) {
	t.Parallel()
	a, peer := start(t), freeURL(t)
	v := a.voters(t, a.surveyed(t))
	id, err := v.Add(t.Context(), peer)
	if err != nil {
		t.Fatal(err)
	}
	b := a.learner(t, peer)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	for err = v.Promote(ctx, id); errors.Is(err, ErrBehind) && pause(ctx); err = v.Promote(ctx, id) {
	}
	_ = b.dialed(t)
	c := a.surveyed(t)
	leader, there := c.find(func(p Peer) bool { return p.Name == "a" })
	if err != nil || len(c.Voters()) != 2 || !there || !leader.Leads {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := c.Drop(t.Context(), leader.ID, a.trust("ca"), func(reason string) { t.Log(reason) }); err != nil {
		t.Fatal(err)
	}
	c = b.surveyed(t)
	if len(c.Members) != 1 || c.Members[0].ID != id || !c.Members[0].Leads || c.Steady() != nil {
		t.Errorf("%+v", c)
	}
}

// What a member's data know of the members is there once it has ended.
func TestStored(t *testing.T) {
	t.Parallel()
	s := start(t)
	data := s.data
	c := s.surveyed(t)
	if _, err := Stored(data); !errors.Is(err, ErrRunning) {
		t.Errorf("while it runs: %v", err)
	}
	s.end(t) // killed, it may lose its last 100 ms
	members, err := Stored(data)
	if err != nil || len(members) != 1 || members[0].ID != c.Members[0].ID || members[0].Name != "a" ||
		!slices.Equal(members[0].ClientURLs, []string{s.client}) || !slices.Equal(members[0].PeerURLs, []string{s.peer}) {
		t.Errorf("%+v, %v", members, err)
	}
	if _, err := Stored(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("where nothing is: %v", err)
	}
	broken := filepath.Join(data, "member/snap/db")
	for _, data := range []string{"", "no database", string(make([]byte, 1<<16))} {
		if err := os.WriteFile(broken, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if members, err := Stored(s.data); err == nil {
			t.Errorf("of %d broken bytes: %+v", len(data), members)
		}
	}
}
