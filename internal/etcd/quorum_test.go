package etcd

import (
	"errors"
	"fmt"
	"testing"
)

// of is a cluster by a letter a member: h a healthy voter, d a dead one, l a healthy learner, x a dead learner, u a voter that never started.
func of(letters string) Cluster {
	var c Cluster
	for i, letter := range letters {
		p := Peer{ID: uint64(i + 1), Name: fmt.Sprintf("m%d", i+1), PeerURLs: []string{fmt.Sprintf("https://10.0.0.%d:2380", i+1)}}
		switch letter {
		case 'd', 'x', 'u':
			p.Err = errors.New("connection refused")
		}
		p.Learner = letter == 'l' || letter == 'x'
		if letter == 'u' {
			p.Name = ""
		}
		c.Members = append(c.Members, p)
	}
	return c
}

func TestGuards(t *testing.T) {
	t.Parallel()
	last := func(letters string) uint64 { return uint64(len(letters)) }
	tests := []struct {
		members string // what is touched is the last one
		add     bool
		promote bool
		remove  bool
		stop    bool
	}{
		{members: "h", add: true, remove: false, stop: true},
		{members: "hh", add: true, remove: true, stop: false},
		{members: "hhh", add: true, remove: true, stop: true},
		{members: "hhhhh", add: true, remove: true, stop: true},
		{members: "hd", add: false, remove: false, stop: false},
		{members: "hhd", add: true, remove: true, stop: true},
		{members: "hdh", add: true, remove: false, stop: false},
		{members: "hdd", add: false, remove: false, stop: false},
		{members: "hhhhd", add: true, remove: true, stop: true},
		{members: "hhhdh", add: true, remove: true, stop: true},
		{members: "hhhdd", add: true, remove: true, stop: true},
		{members: "hhddh", add: true, remove: false, stop: false},
		{members: "hhddd", add: false, remove: false, stop: false},
		{members: "hhl", add: false, promote: true, remove: true, stop: true},
		{members: "hl", add: false, promote: true, remove: true, stop: true},
		{members: "hhx", add: false, promote: true, remove: true, stop: true},
		{members: "hdl", add: false, promote: false, remove: false, stop: false},
		{members: "hhdl", add: false, promote: true, remove: true, stop: true},
		{members: "hhddl", add: false, promote: false, remove: false, stop: false},
		{members: "hhu", add: false, remove: true, stop: false},
		{members: "d", add: false, remove: false, stop: true},
		{members: "lh", add: false, remove: false, stop: true},
		{members: "xhhh", add: false, remove: true, stop: true},
		{members: "lhdh", add: false, remove: false, stop: false},
		{members: "lhhd", add: false, remove: true, stop: true},
		{members: "llhhh", add: false, remove: true, stop: false},
		{members: "uhhhh", add: false, remove: true, stop: false},
	}
	for _, tt := range tests {
		t.Run(tt.members, func(t *testing.T) {
			t.Parallel()
			c, id := of(tt.members), last(tt.members)
			for what, got := range map[string]struct {
				err  error
				want bool
			}{
				"add": {c.MayAdd(), tt.add}, "promote": {c.MayPromote(id), tt.promote},
				"remove": {c.MayRemove(id), tt.remove}, "stop": {c.MayStop(id), tt.stop},
			} {
				if (got.err == nil) != got.want || got.err != nil && !refusal(got.err) {
					t.Errorf("%s: %v", what, got.err)
				}
			}
		})
	}
}

func TestSteady(t *testing.T) {
	t.Parallel()
	c := of("hhh")
	c.Alarms = []string{"NOSPACE on m1"}
	mentions(t, c.MayAdd(), "NOSPACE on m1")
	c = of("hhh")
	c.Disagreement = "m1 sees m1, others m1, m2"
	mentions(t, c.MayAdd(), "m1 sees m1")
	mentions(t, of("hdd").Quorum(), "1 of 3 voters are healthy, 2 are needed\n  m2: connection refused\n  m3: connection refused")
}

// Whatever disturbs the cluster keeps its members from being stopped, and is told. The only voter may be.
func TestMayStop(t *testing.T) {
	t.Parallel()
	alarmed, alone, split := of("hhh"), of("h"), of("hhh")
	alarmed.Alarms, alone.Alarms = []string{"CORRUPT on m1"}, []string{"NOSPACE on m1"}
	split.Disagreement = "m1 sees m1, others m1, m2"
	for want, got := range map[string]error{
		"CORRUPT on m1":                        alarmed.MayStop(1),
		"m1 sees m1, others m1, m2":            split.MayStop(1),
		"there is no member 9":                 of("hhh").MayStop(9),
		"m1 and m2 are both learners":          of("llhhh").MayStop(5),
		"https://10.0.0.4:2380 never ran":      of("hhhu").MayStop(1),
		"1 of 3 voters are healthy":            of("hdd").MayStop(1),
		"with m1 stopped 1 of 3 voters would ": of("hdh").MayStop(1),
	} {
		mentions(t, got, want)
		if !refusal(got) {
			t.Errorf("%v is no refusal", got)
		}
	}
	lost, slow := of("ddd"), of("ddd")
	slow.Members[1].Led = true
	for name, err := range map[string]error{"alone": alone.MayStop(1), "a dead one": of("hhd").MayStop(3), "one of those that have no quorum": lost.MayStop(1)} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	mentions(t, slow.MayStop(1), "0 of 3 voters are healthy")
	mentions(t, of("dhd").MayStop(1), "1 of 3 voters are healthy")
}

func TestUnsettled(t *testing.T) {
	t.Parallel()
	if err := of("hh").Unsettled(ErrUnsettled); !errors.Is(err, ErrUnsettled) || refusal(err) {
		t.Errorf("with all well: %v", err)
	}
	err := of("hhd").Unsettled(ErrUnsettled)
	if !errors.Is(err, ErrUnsettled) || !refusal(err) {
		t.Errorf("beside a dead one: %v", err)
	}
	mentions(t, err, "  m3: connection refused\nhint: ")
}

func TestInitialCluster(t *testing.T) {
	t.Parallel()
	c := of("hu")
	if got, want := c.InitialCluster("new", "https://10.0.0.9:2380"), "2=https://10.0.0.2:2380,m1=https://10.0.0.1:2380,new=https://10.0.0.9:2380"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// A member that was added already appears once, under the name that it will have.
	if got, want := c.InitialCluster("new", "https://10.0.0.2:2380"), "m1=https://10.0.0.1:2380,new=https://10.0.0.2:2380"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// refusal says that nothing was changed.
func refusal(err error) bool {
	var r *RefusedError
	return errors.As(err, &r)
}
