package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/etcd"
)

// someMembers are a leader, one that is dead, a learner, and one that has never started.
func someMembers() etcd.Cluster {
	urls := func(port string) []string { return []string{"https://10.0.0.1:" + port} }
	return etcd.Cluster{ID: 0xc1, Alarms: []string{"NOSPACE on m2"}, Members: []etcd.Peer{
		{ID: 0x21, PeerURLs: urls("2380"), Learner: true, Err: errors.New("it has never started")},
		{ID: 0xa1, Name: "m1", PeerURLs: urls("2380"), ClientURLs: urls("2379"), Leads: true},
		{ID: 0xa2, Name: "m2", PeerURLs: urls("2380"), ClientURLs: urls("2379"), Err: errors.New("connecting to etcd: connection refused\nhint: none")},
		{ID: 0xa3, Name: "m3", PeerURLs: urls("2380"), ClientURLs: urls("2379"), Learner: true},
		{ID: 0xa4, Name: "m4", PeerURLs: urls("2380"), ClientURLs: urls("2379")},
	}}
}

func TestEtcdShow(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := errors.Join(etcdStatus(&out, someMembers()), printJSON(&out, documentOf(someMembers()))); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/etcd.txt", out.String())
}

func TestUnwell(t *testing.T) {
	t.Parallel()
	c := someMembers()
	for _, want := range []string{"etcd has raised an alarm: NOSPACE on m2", "etcd member the unstarted member at https://10.0.0.1:2380 is not healthy: it has never started", "etcd member m2 is not healthy"} {
		if err := unwell(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		if c.Alarms == nil {
			c.Members = c.Members[1:]
		}
		c.Alarms = nil
	}
	c.Members = c.Members[2:]
	if err := unwell(c); err != nil {
		t.Error(err)
	}
	if code := exitCode(&unhealthyError{errors.New("x")}); code != exitUnhealthy {
		t.Error(code)
	}
}

func TestMayFail(t *testing.T) {
	t.Parallel()
	for _, tt := range [][3]int{{1, 1, 0}, {2, 2, 0}, {3, 3, 1}, {2, 3, 0}, {1, 3, 0}, {5, 5, 2}, {4, 5, 1}} {
		if got := mayFail(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%d of %d: %d, want %d", tt[0], tt[1], got, tt[2])
		}
	}
}

func TestMemberCalled(t *testing.T) {
	t.Parallel()
	c := someMembers()
	for called, want := range map[string]uint64{"m1": 0xa1, "a1": 0xa1, "0xA2": 0xa2, "21": 0x21} {
		if p, err := memberCalled(c, called); err != nil || p.ID != want {
			t.Errorf("%s: %v, %v", called, p, err)
		}
	}
	_, err := memberCalled(c, "m9")
	if err == nil || !strings.Contains(err.Error(), "etcd has no member \"m9\"\nhint: there are without a name (21), m1 (a1), m2 (a2)") {
		t.Errorf("got %v", err)
	}
	c.Members = append(c.Members, etcd.Peer{ID: 0xb1, Name: "m1"})
	if _, err = memberCalled(c, "m1"); err == nil || !strings.Contains(err.Error(), "etcd has 2 members called \"m1\"\nhint: give the ID of one") {
		t.Errorf("got %v", err)
	}
}

// What can not be done is said before anybody is asked.
func TestEtcdRefuses(t *testing.T) {
	t.Parallel()
	none := " --cert-dir " + t.TempDir() + " --endpoints https://127.66.0.9:2379"
	for line, want := range map[string]string{
		"etcd member remove":             "takes the name or the ID of a member",
		"etcd member remove a b":         "takes the name or the ID of a member",
		"etcd member list -o xml" + none: "--output=xml",
		"etcd member list" + none:        "etcd/ca.crt, by which etcd is asked, is not there, or its key is not",
		"etcd member remove m1" + none:   "hint: run it on a master, or give --cert-dir",
		"etcd status x":                  "takes no argument",
	} {
		out, errs, code := tripod(t, strings.Fields(line)...)
		if code != exitInput || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d\n%s%s", line, code, out, errs)
		}
	}
}

func TestOnEachOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tell := onEachOnce(&out)
	for _, reason := range []string{"a", "b", "a"} {
		tell(reason)
	}
	if out.String() != "waiting: a\nwaiting: b\n" {
		t.Error(out.String())
	}
}
