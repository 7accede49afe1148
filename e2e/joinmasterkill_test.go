package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// killedQuick are the boundaries that a join of a master is killed at where there is no time for all of them: the cluster
// knows of the member and this machine does not; the member has its vote and no apiserver.
var killedQuick = [...]string{"member added", "changed in etcd-join/promote"}

// tripod join --control-plane can be killed at any boundary between its steps and at any moment, and what it has started
// can; run again it joins. The masters that run never lose their quorum, and no acknowledged key is lost.
func TestKillJoinMaster(t *testing.T) {
	t.Parallel()
	m := newMasters(t, "tripod")
	second := m.machine(t, 2)
	list := filepath.Join(t.TempDir(), "boundaries")
	must(t)(output(m.killable(t.Context(), second, "TRIPOD_KILL_LIST="+list)))
	m.joined(t, second)
	all := boundaries(t, list)
	t.Logf("%d boundaries", len(all))
	for i, name := range all {
		_, name, _ = strings.Cut(name, " ")
		if drill() || slices.Contains(killedQuick[:], name) {
			m.third(t, name, func(t *testing.T, n *lab.Node) { m.killAt(t, n, i+1) })
		}
	}
	const longest = 8 * time.Second // about what a join takes
	for range 20 {
		if moment := rand.N(longest); drill() {
			m.third(t, moment.String(), func(t *testing.T, n *lab.Node) { m.killAfter(t, n, moment) })
		}
	}
	for _, v := range victims() {
		if drill() || v.quick {
			m.third(t, v.name, func(t *testing.T, n *lab.Node) { m.killBelow(t, n, v) })
		}
	}
	m.wantMasters(t)
}

// third has a third machine join by a way that is interrupted, and then once more. It leaves again.
func (m *masters) third(t *testing.T, name string, interrupted func(t *testing.T, n *lab.Node)) {
	t.Run(name, func(t *testing.T) {
		n := m.machine(t, 3)
		t.Cleanup(func() { m.left(n) })
		interrupted(t, n)
		m.wantRecovery(t, n)
		m.takeOut(t, n)
	})
}

func (m *masters) killAt(t *testing.T, n *lab.Node, boundary int) {
	t.Helper()
	out, err := output(m.killable(t.Context(), n, fmt.Sprintf("TRIPOD_KILL_AT=%d", boundary)))
	if exitCode(err) != -1 {
		t.Fatalf("tripod was not killed: %v\n%s", err, out)
	}
}

func (m *masters) killAfter(t *testing.T, n *lab.Node, moment time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), moment)
	defer cancel()
	_ = m.killable(ctx, n).Run()
}

// wantRecovery runs tripod join again where it was interrupted: it must end with a voter as an undisturbed join makes it,
// with which there is nothing left to do.
func (m *masters) wantRecovery(t *testing.T, n *lab.Node) {
	t.Helper()
	began := time.Now()
	t.Log(must(t)(output(m.killable(t.Context(), n))))
	t.Logf("joined after another %s", time.Since(began).Round(time.Millisecond))
	m.joined(t, n)
	wantNothingStaged(t, n)
	wantPairs(t, n.Path("/etc/kubernetes/pki"))
	m.wantJoinAgain(t, n, m.command)
	wantJoined(t, m.nodes[0], n)
	wantReady(t, n.Kubectl)
	wantOwnEtcd(t, n)
	m.wantMembers(t)
}

// takeOut is what an operator does by hand to a master that is to go: its member is removed while it lives, then its Node.
func (m *masters) takeOut(t *testing.T, n *lab.Node) {
	t.Helper()
	m.left(n)
	m.removeMember(t, memberOf(t, m.nodes[0], n))
	if err := n.PowerOff(); err != nil {
		t.Error(err)
	}
	until(t, "its Node goes", func(ctx context.Context) error {
		_, err := m.nodes[0].Kubectl(ctx, "delete", "node", n.Name, "--ignore-not-found")
		return err
	})
}

// removeMember has etcd remove a member. It refuses to for five seconds after another has become a voter.
func (m *masters) removeMember(t *testing.T, gone member) {
	t.Helper()
	until(t, "removal of "+gone.Name, func(ctx context.Context) error {
		_, err := etcdctl(ctx, m.nodes[0], "member", "remove", fmt.Sprintf("%x", gone.ID))
		return err
	})
}

// victim is what dies under a master that joins.
type victim struct {
	name  string
	at    string // it dies when this has been printed
	kill  func(t *testing.T, n *lab.Node)
	quick bool // also where there is no time for all of them
}

func victims() []victim {
	const asLearner, asVoter = "etcd.yaml", "kube-apiserver.yaml"
	return []victim{
		{name: "learner", at: asLearner, kill: killComponent("etcd")},
		{name: "voter", at: asVoter, kill: killComponent("etcd"), quick: true},
		{name: "apiserver", at: asVoter, kill: killComponent("kube-apiserver")},
		{name: "kubelet of a learner", at: asLearner, kill: killByName("kubelet")},
		{name: "kubelet of a voter", at: asVoter, kill: killByName("kubelet")},
		{name: "all pods of a learner", at: asLearner, kill: killByName("containerd-shim-runc-v2")},
		{name: "all pods of a voter", at: asVoter, kill: killByName("containerd-shim-runc-v2")},
		{name: "machine of a learner", at: asLearner, kill: powerCut},
		{name: "machine of a voter", at: asVoter, kill: powerCut},
	}
}

// killBelow has the victim die under a join, which may end by itself or need another.
func (m *masters) killBelow(t *testing.T, n *lab.Node, v victim) {
	t.Helper()
	out, err := during(m.killable(t.Context(), n), v.at, func() { v.kill(t, n) })
	t.Logf("%v\n%s", err, out)
}

// killComponent kills a component as soon as it runs.
func killComponent(component string) func(t *testing.T, n *lab.Node) {
	return func(t *testing.T, n *lab.Node) {
		err := lab.Until(t.Context(), component+" runs", func(ctx context.Context) error {
			pid, err := pidOnNode(ctx, n, component)
			if err == nil {
				_, err = n.Run(ctx, "kill", "-9", pid)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// killByName kills all processes of a program as soon as there are any.
func killByName(program string) func(t *testing.T, n *lab.Node) {
	return func(t *testing.T, n *lab.Node) {
		err := lab.Until(t.Context(), program+" runs", func(ctx context.Context) error {
			pids, err := n.Run(ctx, "pidof", program)
			if err == nil {
				_, err = n.Run(ctx, "kill", append([]string{"-9"}, strings.Fields(pids)...)...)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// powerCut leaves the machine a moment to come up to what it was told, then no power for another.
func powerCut(t *testing.T, n *lab.Node) {
	time.Sleep(rand.N(2 * time.Second))
	if err := n.PowerOff(); err != nil {
		t.Error(err)
	}
	if err := n.PowerOn(t.Context()); err != nil {
		t.Error(err)
	}
}

// during runs a command, does something else as soon as the command has printed a sign, and returns after both.
func during(cmd *exec.Cmd, sign string, do func()) (string, error) {
	w := &awaited{sign: sign, do: do}
	cmd.Stdout, cmd.Stderr = w, w
	err := cmd.Run()
	w.doing.Wait()
	return w.printed.String(), err
}

// awaited is the output of a command. The first time that it holds a sign, something is done.
type awaited struct {
	printed bytes.Buffer
	sign    string
	do      func()
	doing   sync.WaitGroup
}

func (w *awaited) Write(p []byte) (int, error) {
	if w.printed.Write(p); w.do != nil && strings.Contains(w.printed.String(), w.sign) {
		w.doing.Go(w.do)
		w.do = nil
	}
	return len(p), nil
}
