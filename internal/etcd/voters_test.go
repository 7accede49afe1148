package etcd

import (
	"slices"
	"testing"
	"time"
)

// Who updates a learner makes the list of members call it a voter; raft, and so the data of every member, know better.
func TestReadVoters(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.surveyed(t)
	peer := freeURL(t)
	id, err := s.voters(t, c).Add(t.Context(), peer)
	if err != nil {
		t.Fatal(err)
	}
	learner := s.learner(t, peer)
	_ = learner.dialed(t)
	if _, err := s.dialed(t).client.MemberUpdate(t.Context(), id, []string{peer}); err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(10 * time.Second)
	for p, _ := s.surveyed(t).ByID(id); p.Learner && time.Now().Before(until); p, _ = s.surveyed(t).ByID(id) {
		time.Sleep(lookEvery)
	}
	listed, _ := s.surveyed(t).ByID(id)
	if listed.Learner {
		t.Skip("this etcd does not call an updated learner a voter")
	}
	for _, data := range []string{s.data, learner.data} {
		voters, err := ReadVoters(data)
		for ; (err != nil || len(voters) == 0) && time.Now().Before(until); voters, err = ReadVoters(data) {
			time.Sleep(lookEvery)
		}
		if err != nil || !slices.Equal(voters, []uint64{c.Members[0].ID}) {
			t.Errorf("%s: voters are %x, %v, and %x is a learner", data, voters, err, id)
		}
	}
}
