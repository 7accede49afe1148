package etcd

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// surveyed is the server's cluster as soon as it can decide something.
func (s *server) surveyed(t *testing.T) Cluster {
	t.Helper()
	_ = s.dialed(t)
	c, err := Survey(t.Context(), []string{freeURL(t), s.client}, s.trust("ca"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *server) voters(t *testing.T, c Cluster) *Voters {
	t.Helper()
	v, err := c.Connect(s.trust("ca"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func TestSurvey(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.surveyed(t)
	if len(c.Members) != 1 || c.Members[0].Err != nil || !c.Members[0].Leads || c.ID == 0 || c.Members[0].RaftIndex == 0 || c.MayAdd() != nil {
		t.Errorf("alone: %+v, may add: %v", c, c.MayAdd())
	}
	if p := c.Members[0]; p.Version != "3.6.8" || p.DBSize == 0 {
		t.Errorf("runs %q, has %d bytes", p.Version, p.DBSize)
	}
	v := s.voters(t, c)
	peer := freeURL(t)
	id, err := v.Add(t.Context(), peer)
	if err != nil {
		t.Fatal(err)
	}
	c = s.surveyed(t)
	learner, there := c.ByPeerURL(peer)
	if !there || learner.ID != id || !learner.Learner || learner.Started() || learner.Err == nil || c.Quorum() != nil {
		t.Errorf("with a learner that never ran: %+v", c)
	}
	mentions(t, c.MayAdd(), "the unstarted member at "+peer+" is a learner already")
	if err := v.Promote(t.Context(), id); !errors.Is(err, ErrBehind) {
		t.Errorf("promoting a learner that never ran: %v", err)
	}
	if _, err := v.Add(t.Context(), freeURL(t)); err == nil {
		t.Error("a second learner was added")
	}
	if err := v.Remove(t.Context(), id); err != nil {
		t.Error(err)
	}
	if err := v.Remove(t.Context(), id); err != nil {
		t.Errorf("removed again: %v", err)
	}
	if c = s.surveyed(t); len(c.Members) != 1 || c.MayAdd() != nil {
		t.Errorf("alone again: %+v", c)
	}
}

// A learner that runs is healthy by its status alone: it refuses all other questions. As a voter it answers them.
func TestSurveyOfALearner(t *testing.T) {
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
	c = s.surveyed(t)
	if p, there := c.ByID(id); !there || !p.Learner || p.Name != "b" || p.Err != nil || p.RaftIndex == 0 || c.MayPromote(id) != nil {
		t.Fatalf("with a learner: %+v, may promote: %v", c, c.MayPromote(id))
	}
	if err := s.voters(t, c).Promote(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c = s.surveyed(t)
		if p, _ := c.ByID(id); !p.Learner && p.Err == nil && c.Steady() == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("with another voter: %+v, %v", c, c.Steady())
		}
	}
}

// A member that does not answer is a member still, and the survey names the reason; it takes seconds, however many there are.
func TestSurveyOfTheDead(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.surveyed(t)
	s.stop(t)
	_, err := Survey(t.Context(), []string{s.client}, s.trust("ca"))
	mentions(t, err, "accepts connections, but")
	if err := s.process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	_, err = Survey(t.Context(), []string{s.client}, s.trust("other"))
	mentions(t, err, "unknown authority")
	_, err = Survey(t.Context(), nil, s.trust("ca"))
	mentions(t, err, "no etcd member is known")
	if got := c.Endpoints(); len(got) != 1 || got[0] != s.client {
		t.Errorf("endpoints %v", got)
	}
}

// What members say is put together: another list, another member at the address, alarms.
func TestCombine(t *testing.T) {
	t.Parallel()
	list := &clientv3.MemberListResponse{Header: &etcdserverpb.ResponseHeader{ClusterId: 0xc},
		Members: []*etcdserverpb.Member{{ID: 1, Name: "m1", ClientURLs: []string{"https://10.0.0.1:2379"}}, {ID: 2, Name: "m2", ClientURLs: []string{"https://10.0.0.2:2379"}}}}
	says := func(id uint64, members string) view {
		return view{members: members, status: &clientv3.StatusResponse{Header: &etcdserverpb.ResponseHeader{MemberId: id}, Leader: 1, RaftIndex: 7}}
	}
	same := names(list.Members)
	stored := says(1, same)
	stored.status.Version, stored.status.StorageVersion, stored.status.DbSize = "3.6.8", "3.6.0", 4096
	c := combine(list, []view{stored, says(2, same)})
	if p := c.Members[0]; p.Version != "3.6.8" || p.StorageVersion != "3.6.0" || p.DBSize != 4096 || c.Members[1].Version != "" {
		t.Errorf("%+v", c)
	}
	if c.Disagreement != "" || !c.Members[0].Leads || c.Members[1].Leads || c.Steady() != nil {
		t.Errorf("%+v", c)
	}
	mentions(t, combine(list, []view{says(1, same), says(2, "m2")}).Steady(), "m2 sees m2, others m1, m2")
	mentions(t, combine(list, []view{says(1, same), says(9, same)}).Members[1].Err, "another member answers")
	alarmed := says(2, same)
	alarmed.alarms = []*etcdserverpb.AlarmMember{{MemberID: 2, Alarm: etcdserverpb.AlarmType_NOSPACE}}
	mentions(t, combine(list, []view{says(1, same), alarmed}).Steady(), "NOSPACE on m2")
}

func holder(node string) Holder {
	return Holder{Node: node, Address: "10.0.0." + strings.TrimPrefix(node, "m"), Verb: "join", Since: time.Now()}
}

// One holds the lock, the others wait, in order, and say for whom.
func TestLock(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.surveyed(t)
	lock, err := s.voters(t, c).Lock(t.Context(), holder("m1"), s.voters(t, c), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	locked := lock.Context()
	var held atomic.Int32
	told, done := make(chan string, 100), make(chan error, 2)
	for _, node := range []string{"m2", "m3"} {
		go func() {
			lock, err := s.voters(t, c).Lock(t.Context(), holder(node), nil, func(reason string) { told <- reason })
			if err == nil {
				if held.Add(1) > 1 {
					err = errors.New("two hold the lock")
				}
				time.Sleep(50 * time.Millisecond)
				held.Add(-1)
				lock.Unlock()
			}
			done <- err
		}()
	}
	if reason := <-told; !strings.Contains(reason, "it is the turn of m1 (tripod join, since ") {
		t.Errorf("told %q", reason)
	}
	if len(done) > 0 || locked.Err() != nil {
		t.Error("m1 has the lock no more")
	}
	lock.Unlock()
	if !errors.Is(locked.Err(), context.Canceled) {
		t.Errorf("after unlock: %v", locked.Err())
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// What an earlier run on the same machine has left is taken over at once; a holder that is cut off from etcd is told so.
func TestLockIsLost(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.surveyed(t)
	lock, err := s.voters(t, c).Lock(t.Context(), holder("m1"), nil, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Held(t.Context()); err != nil {
		t.Error(err)
	}
	locked, begun := lock.Context(), time.Now()
	again, err := s.voters(t, c).Lock(t.Context(), holder("m1"), nil, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Unlock()
	if err := lock.Held(t.Context()); !errors.Is(err, ErrLockLost) {
		t.Errorf("who stood still meanwhile holds it: %v", err)
	}
	if took := time.Since(begun); took > lockSeconds*time.Second/2 {
		t.Errorf("the same machine's lock was waited for: %s", took)
	}
	select {
	case <-locked.Done():
	case <-time.After(time.Minute):
		t.Fatal("the earlier holder still believes to have the lock")
	}
	if cause := context.Cause(locked); !errors.Is(cause, ErrLockLost) {
		t.Errorf("cause %v", cause)
	}
}
