package etcd

import (
	"errors"
	"testing"
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
