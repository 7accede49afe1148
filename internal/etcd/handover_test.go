package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// The leader of three hands over to the longest log; who does not lead has nothing to do, nor has one alone.
func TestHandOver(t *testing.T) {
	t.Parallel()
	all := trio(t)
	trust, told := all[0].trust("ca"), func(reason string) { t.Log(reason) }
	c := all[0].surveyed(t)
	leader, led := c.find(func(p Peer) bool { return p.Leads })
	if !led || len(c.Voters()) != 3 || c.Steady() != nil {
		t.Fatalf("%+v, %v", c, c.Steady())
	}
	for range 2 {
		if err := c.HandOver(t.Context(), leader.ID, trust, told); err != nil {
			t.Fatal(err)
		}
	}
	c = all[0].surveyed(t)
	if err := c.ledByAnother(leader.ID); err != nil {
		t.Error(err)
	}
	if next, led := c.find(func(p Peer) bool { return p.Leads }); !led || next.ID == leader.ID {
		t.Errorf("after it: %+v", c)
	}
}

// A leader is left between two writes, and when the next one has them all; one that is written to all the time, after a while.
func TestAwaitMoment(t *testing.T) {
	t.Parallel()
	all := trio(t)
	trust := all[0].trust("ca")
	c := all[0].surveyed(t)
	leader, _ := c.find(func(p Peer) bool { return p.Leads })
	next, _ := c.find(func(p Peer) bool { return !p.Leads })
	from, to := dialled(t, leader, trust), dialled(t, next, trust)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var writes sync.WaitGroup
	writes.Go(func() {
		for ctx.Err() == nil {
			_, _ = from.client.Put(ctx, "key", "value")
			time.Sleep(3 * lull)
		}
	})
	for range 5 {
		began := time.Now()
		from.awaitMoment(t.Context(), to)
		if took := time.Since(began); took < lull {
			t.Errorf("a moment after %s, shorter than a lull", took)
		}
	}
	stop()
	writes.Wait()
	had, err := from.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	from.awaitMoment(t.Context(), to)
	if has, err := to.Status(t.Context()); err != nil || has.RaftIndex < had.RaftIndex {
		t.Errorf("the next one has %v of %d, %v", has, had.RaftIndex, err)
	}
}

func dialled(t *testing.T, p Peer, trust *tls.Config) *Member {
	t.Helper()
	m, err := Dial(t.Context(), p.ClientURLs[0], trust)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func TestHandOverAlone(t *testing.T) {
	t.Parallel()
	c := of("hl")
	if err := c.HandOver(t.Context(), 1, nil, func(reason string) { t.Error(reason) }); err != nil {
		t.Error(err)
	}
}

// The last word is that of a healthy voter which leads, and of the one that shall not.
func TestLedByAnother(t *testing.T) {
	t.Parallel()
	led := func(leaders ...int) Cluster {
		c := of("hhh")
		for _, i := range leaders {
			c.Members[i].Leads = true
		}
		return c
	}
	cut, dead := led(0, 1), led(1)
	cut.Members[0].Err, dead.Members[1].Err = errors.New("has no majority"), errors.New("dead")
	mentions(t, led(0).ledByAnother(1), "m1 still leads")
	mentions(t, cut.ledByAnother(1), "m1 still leads")
	mentions(t, led().ledByAnother(1), "no member leads yet")
	mentions(t, dead.ledByAnother(1), "no member leads yet")
	if err := led(2).ledByAnother(1); err != nil {
		t.Error(err)
	}
}

// The successor is the one through which is written: who passes writes on to a leader that hands over loses them.
func TestHandOverToWhoIsWrittenTo(t *testing.T) {
	t.Parallel()
	all := trio(t)
	trust := all[0].trust("ca")
	c := all[0].surveyed(t)
	leader, _ := c.find(func(p Peer) bool { return p.Leads })
	followers := others(c, leader.PeerURLs[0])
	for range 2 {
		busy := followers[0]
		if busy.Leads {
			busy = followers[1]
		}
		member, err := Dial(t.Context(), busy.ClientURLs[0], trust)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for ctx.Err() == nil {
				_, _ = member.client.Put(ctx, "busy", busy.Name)
			}
		}()
		if err := c.HandOver(t.Context(), leader.ID, trust, func(string) {}); err != nil {
			t.Fatal(err)
		}
		stop()
		<-done
		_ = member.Close()
		c = all[0].surveyed(t)
		if next, _ := c.find(func(p Peer) bool { return p.Leads }); next.ID != busy.ID {
			t.Errorf("%s leads, and it is %s through which is written", next, busy)
		}
		leader, followers = busy, others(c, busy.PeerURLs[0])
	}
}

func TestWritesIn(t *testing.T) {
	t.Parallel()
	const metrics = `# TYPE grpc_server_handled_total counter
grpc_server_handled_total{grpc_code="OK",grpc_method="Txn",grpc_service="etcdserverpb.KV",grpc_type="unary"} 3
grpc_server_handled_total{grpc_code="OK",grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 1e+01
grpc_server_handled_total{grpc_code="OK",grpc_method="Range",grpc_service="etcdserverpb.KV",grpc_type="unary"} 100
grpc_server_started_total{grpc_method="Txn",grpc_service="etcdserverpb.KV",grpc_type="unary"} 7
`
	if sum, err := writesIn(strings.NewReader(metrics)); err != nil || sum != 13 {
		t.Errorf("%v, %v", sum, err)
	}
	if _, err := writesIn(strings.NewReader(`grpc_server_handled_total{grpc_method="Txn"} many`)); err == nil {
		t.Error("what is no number is counted")
	}
}
