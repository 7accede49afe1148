package e2e

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/e2e/lab"
)

// Masters join masters, whichever of the two programs brought either up, with the key of the uploaded certificates or
// with files that were copied.
func TestJoinMaster(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, first string
		joins       []joinMaster
		drill       bool
	}{
		{name: "three", first: "tripod", joins: []joinMaster{{program: "tripod"}, {program: "tripod"}}, drill: true},
		{name: "copied files", first: "kubeadm", joins: []joinMaster{{program: "tripod", copied: true}}},
		{name: "kubeadm joins tripod", first: "tripod", joins: []joinMaster{{program: "kubeadm"}, {program: "tripod", copied: true}}, drill: true},
		{name: "kubeadm joins what tripod has joined", first: "kubeadm", joins: []joinMaster{{program: "tripod"}, {program: "kubeadm"}}, drill: true},
		{name: "five", first: "tripod", joins: []joinMaster{{program: "tripod"}, {program: "tripod"}, {program: "tripod"}, {program: "tripod"}}, drill: true},
	} {
		if tt.drill && !drill() {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			m := newMasters(t, tt.first)
			for i, j := range tt.joins {
				j.do(t, m, m.machine(t, byte(2+i)))
			}
			m.wantMasters(t)
		})
	}
}

// joinMaster is how one master joins.
type joinMaster struct {
	program string
	copied  bool // the shared files, by hand; else there is a certificate key
}

func (j joinMaster) do(t *testing.T, m *masters, n *lab.Node) {
	t.Helper()
	command := m.command
	if j.copied {
		m.copyShared(t, n)
		command = m.byHand(t)
	}
	began := time.Now()
	must(t)(n.Run(t.Context(), j.program, command...))
	t.Logf("%s join of %s took %s", j.program, n.Name, time.Since(began).Round(time.Millisecond))
	m.joined(t, n)
	if j.program == "tripod" {
		m.wantJoinAgain(t, n, command)
	}
}

// wantJoinAgain wants a second join to find everything done: no file, no process and no member is another.
func (m *masters) wantJoinAgain(t *testing.T, n *lab.Node, command []string) {
	t.Helper()
	running := func() string { return must(t)(n.Run(t.Context(), "pidof", "kubelet")) + pids(t, n) }
	files, processes, list := snapshot(t, n), running(), memberList(t, n)
	must(t)(n.Run(t.Context(), "tripod", command...))
	wantSame(t, files, snapshot(t, n))
	if now := running(); now != processes {
		t.Errorf("processes were %s, now %s", processes, now)
	}
	if diff := cmp.Diff(list, memberList(t, n)); diff != "" {
		t.Errorf("members changed (-before +after):\n%s", diff)
	}
}

// Masters that join at once queue by themselves for etcd, say whom they wait for, and all have their vote at the end.
func TestJoinMastersAtOnce(t *testing.T) {
	joins := 2
	if drill() {
		joins = 5
	}
	m := newMasters(t, "tripod")
	nodes := make([]*lab.Node, joins)
	for i := range nodes {
		nodes[i] = m.machine(t, byte(2+i))
	}
	waited := 0
	for i, out := range m.atOnce(t, nodes) {
		if strings.Contains(out, "it is the turn of master-") {
			waited++
		} else {
			t.Logf("%s waited for nobody", nodes[i].Name)
		}
		m.joined(t, nodes[i])
	}
	if waited < joins-1 {
		t.Errorf("%d of %d have said whom they wait for", waited, joins)
	}
	m.wantJoinAgain(t, nodes[0], m.command)
	m.wantMasters(t)
}

// atOnce has all of them join, and returns what each has printed.
func (m *masters) atOnce(t *testing.T, nodes []*lab.Node) []string {
	t.Helper()
	outs, errs := make([]string, len(nodes)), make([]error, len(nodes))
	began := time.Now()
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() {
			outs[i], errs[i] = n.Run(t.Context(), "tripod", m.command...)
			t.Logf("%s took %s", n.Name, time.Since(began).Round(time.Millisecond))
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return outs
}
