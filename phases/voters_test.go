package phases

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"tripod.dev/tripod/internal/etcd"
)

// A member that is called a voter and has no vote counts among the voters and not among the healthy ones, so that nothing stops
// by it; and the proof of a promotion finds it out.
func TestFalseVoter(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	m := s.gather(t)
	m.Membership = membership(0xa, 0xb)
	members := []etcd.Peer{{ID: 0xb, Name: "b"}, {ID: 0xc, Name: "c"}, {ID: 0xd, Name: "d"}}
	all := etcd.Cluster{ID: 0xa, Members: members}
	if err := m.counted(s.site, all).MayRemove(0xc); err != nil {
		t.Errorf("without data that can be read: %v", err)
	}
	storeVoters(t, m.Paths.EtcdData, 0xb, 0xc)
	if now := m.counted(s.site, all); now.Members[2].Err == nil || now.Members[1].Err != nil || now.MayRemove(0xd) != nil {
		t.Errorf("a false voter is believed: %+v", now.Members)
	}
	away := all
	away.Members = []etcd.Peer{{ID: 0xb, Name: "b", Err: errors.New("away")}, members[1], members[2]}
	if now := m.counted(s.site, away); now.Members[2].Err != nil {
		t.Errorf("data that may be old are believed: %v", now.Members[2].Err)
	}
	synctest.Test(t, func(t *testing.T) {
		p := &Prober{master: m, self: membership(0xa, 0xb)}
		if err := p.votes(); err != nil {
			t.Error(err)
		}
		p.self = membership(0xa, 0xd)
		var last final
		err := p.votes()
		mentions(t, err, "has d as a voter, and raft as a learner")
		if errors.As(err, &last) {
			t.Error("a vote may take a moment")
		}
		time.Sleep(voteWithin + time.Second)
		if err := p.votes(); !errors.As(err, &last) {
			t.Errorf("it is waited for still: %v", err)
		}
	})
}

// storeVoters lays the database of a member by which those have a vote.
func storeVoters(t *testing.T, dir string, voters ...uint64) {
	t.Helper()
	path := filepath.Join(dir, "member", "snap", "db")
	lie(t, map[string]string{path: ""})
	conf, err := json.Marshal(map[string][]uint64{"voters": voters})
	if err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucket([]byte("meta"))
		return errors.Join(err, meta.Put([]byte("confState"), conf))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
