package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/e2e/lab"
)

// farTooLong is for what takes a second or two on a machine that has nothing else to do.
const farTooLong = 20 * time.Second

// What a user of `make up` gets: three masters, of which any one can go and come back while the work goes on.
func TestSandboxMasters(t *testing.T) {
	t.Parallel()
	s := newMastersSandbox(t, "three", 3)
	wantVoters(t, s, 3)
	wantOwnEtcds(t, s, 3)
	writeConfigMap(t, s.Kubectl, "kept")
	t.Run("failures", func(t *testing.T) { wantKept(t, s, func() { wantToBearFailures(t, s, "m1", "m2") }) })
	t.Run("balancer", func(t *testing.T) {
		killInSandbox(t, s, "balancer")
		until(t, "ready again", func(ctx context.Context) error { return ready(ctx, s.Kubectl) })
	})
	t.Run("hanging etcd", func(t *testing.T) { wantToSpare(t, s, "m3") })
	t.Run("lost disk", func(t *testing.T) { wantJoinedAgain(t, s, "m1") })
	t.Run("up again", func(t *testing.T) { wantNoChange(t, s) })
	wantVoters(t, s, 3)
	wantOwnEtcds(t, s, 3)
	wantNothingLeft(t, s)
}

// A sandbox of several grows, one of one does not, and none shrinks; what was refused has changed nothing.
func TestSandboxGrows(t *testing.T) {
	t.Parallel()
	wantMastersRefused(t, newMastersSandbox(t, "lone", 1), 3, "was made for one master")
	s := newMastersSandbox(t, "grows", 2)
	wantMastersRefused(t, s, 1, "has 2 masters, which do not become 1")
	before := rows(t, s)
	must(t)(s.Run(t.Context(), "up", "--masters=3"))
	wantVoters(t, s, 3)
	after := rows(t, s)
	if diff := cmp.Diff(before, after[:len(before)], withoutRole()); diff != "" {
		t.Errorf("growing changed what ran before (-before +after):\n%s", diff)
	}
}

// wantMastersRefused wants an up with so many masters to touch nothing, and to give the command that would make room for it.
func wantMastersRefused(t *testing.T, s *lab.Sandbox, masters int, why string) {
	t.Helper()
	before := rows(t, s)
	out, err := s.Run(t.Context(), "up", fmt.Sprintf("--masters=%d", masters))
	if exitCode(err) != badInput || !strings.Contains(out, why) || !strings.Contains(out, "tripod sandbox down --name "+s.Name) {
		t.Errorf("%d masters: exit code %d\n%s", masters, exitCode(err), out)
	}
	if diff := cmp.Diff(before, rows(t, s), withoutRole()); diff != "" {
		t.Errorf("a refusal changed what runs (-before +after):\n%s", diff)
	}
}

// tripod sandbox up with several masters can be killed at any moment, and run again finishes the job.
func TestKillSandboxMasters(t *testing.T) {
	t.Parallel()
	rounds, masters, longest := 1, 3, 10*time.Second
	if drill() {
		rounds, masters, longest = 15, 5, 15*time.Second
	}
	l := newLab(t)
	for range rounds {
		moment := rand.N(longest)
		t.Run(moment.String(), func(t *testing.T) {
			s := closedSandbox(t, l, "some")
			args := []string{"--bin-dir=" + l.Components(lab.Default), fmt.Sprintf("--masters=%d", masters)}
			ctx, cancel := context.WithTimeout(t.Context(), moment)
			defer cancel()
			_ = s.Command(ctx, "up", args...).Run()
			t.Log(must(t)(s.Run(t.Context(), "up", args...)))
			wantVoters(t, s, masters)
			wantOwnEtcds(t, s, masters)
			wantNoChange(t, s)
		})
	}
}

// closedSandbox is a sandbox that is not up yet, and is taken down after the test.
func closedSandbox(t *testing.T, l lab.Lab, name string) *lab.Sandbox {
	t.Helper()
	s, err := l.NewSandbox(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newMastersSandbox(t *testing.T, name string, masters int) *lab.Sandbox {
	t.Helper()
	l := newLab(t)
	s := closedSandbox(t, l, name)
	t.Log(must(t)(s.Run(t.Context(), "up", fmt.Sprintf("--masters=%d", masters), "--bin-dir="+l.Components(lab.Default))))
	return s
}

// wantVoters wants as many etcd members as there are masters, all of them started and with a vote, and one leader.
func wantVoters(t *testing.T, s *lab.Sandbox, masters int) {
	t.Helper()
	var list struct {
		Members []struct {
			Name      string
			IsLearner bool
		}
	}
	sandboxEtcdctl(t, s, &list, "member", "list")
	var names, want []string
	for _, m := range list.Members {
		if m.IsLearner {
			m.Name += " (learner)"
		}
		names = append(names, m.Name)
	}
	for number := range masters {
		want = append(want, fmt.Sprintf("%s-m%d", s.Name, number+1))
	}
	slices.Sort(names)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("members of etcd (-want +got):\n%s", diff)
	}
	roles := map[string]int{}
	for _, r := range rows(t, s) {
		roles[r.Role]++
	}
	if roles["leader"] != 1 || roles["voter"] != masters-1 || roles["learner"] != 0 {
		t.Errorf("status tells these roles: %v", roles)
	}
}

// sandboxEtcdctl asks etcd by the first master's certificates, at every master.
func sandboxEtcdctl(t *testing.T, s *lab.Sandbox, answer any, args ...string) {
	t.Helper()
	pki := filepath.Join(s.Folder(), "m1/etc/kubernetes/pki/etcd")
	var urls []string
	for _, m := range mastersOf(t, s) {
		urls = append(urls, "https://"+m.Address+":2379")
	}
	cmd := exec.CommandContext(t.Context(), newLab(t).Component(lab.Default, "etcdctl"), append([]string{
		"--endpoints=" + strings.Join(urls, ","), "--cacert=" + pki + "/ca.crt", "--cert=" + pki + "/healthcheck-client.crt",
		"--key=" + pki + "/healthcheck-client.key", "--write-out=json"}, args...)...)
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, answer)
	}
	if err != nil {
		t.Fatalf("etcdctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// sandboxMaster is a master as the sandbox's record has it.
type sandboxMaster struct{ Name, Address, KubernetesVersion string }

func mastersOf(t *testing.T, s *lab.Sandbox) []sandboxMaster {
	t.Helper()
	var record struct{ Masters []sandboxMaster }
	data, err := os.ReadFile(filepath.Join(s.Folder(), "sandbox.json"))
	if err == nil {
		err = json.Unmarshal(data, &record)
	}
	if err != nil {
		t.Fatal(err)
	}
	return record.Masters
}

// withoutRole leaves out who leads: that may change at any time.
func withoutRole() cmp.Option {
	return cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Role" }, cmp.Ignore())
}

// wantOwnEtcds wants every apiserver to be connected to the etcd of its own master, and to no other.
func wantOwnEtcds(t *testing.T, s *lab.Sandbox, masters int) {
	t.Helper()
	addresses := map[string]string{}
	for _, m := range mastersOf(t, s) {
		addresses[s.Name+"-"+m.Name] = m.Address
	}
	seen := 0
	for _, r := range rows(t, s) {
		if r.Component != "kube-apiserver" {
			continue
		}
		seen++
		peers, err := lab.Connected(r.PID, 2379)
		if err != nil || len(peers) == 0 {
			t.Errorf("the apiserver of %s has %d connections to etcd: %v", r.Master, len(peers), err)
		}
		for _, peer := range peers {
			if peer.String() != addresses[r.Master] {
				t.Errorf("the apiserver of %s talks to the etcd at %s", r.Master, peer)
			}
		}
	}
	if seen != masters {
		t.Errorf("status tells of %d apiservers", seen)
	}
}

// wantKept wants what is changed in the cluster to be there when something has been done, and no more tokens than before.
func wantKept(t *testing.T, s *lab.Sandbox, do func()) {
	t.Helper()
	patch := must(t)(s.Kubectl(t.Context(), "--namespace=kube-system", "get", "configmap", "kubeadm-config", "--output=json"))
	patch = strings.Replace(patch, `apiServer: {}\n`, `apiServer:\n  extraArgs:\n  - name: v\n    value: \"3\"\n`, 1)
	must(t)(s.Kubectl(t.Context(), "--namespace=kube-system", "patch", "configmap", "kubeadm-config", "--type=merge", "--patch="+patch))
	asks := [][]string{
		{"get", "configmap", "kubeadm-config", "--output=jsonpath={.data}"},
		{"get", "secrets", "--field-selector=type=bootstrap.kubernetes.io/token", "--output=name"},
	}
	var before []string
	for _, ask := range asks {
		before = append(before, must(t)(s.Kubectl(t.Context(), append(ask, "--namespace=kube-system")...)))
	}
	if !strings.Contains(before[0], "extraArgs") {
		t.Fatalf("kubeadm-config is not changed: %s", before[0])
	}
	do()
	for i, ask := range asks {
		if diff := cmp.Diff(before[i], must(t)(s.Kubectl(t.Context(), append(ask, "--namespace=kube-system")...))); diff != "" {
			t.Errorf("the cluster has lost what it kept (-before +after):\n%s", diff)
		}
	}
}

// wantToBearFailures stops and starts masters, one after the other. Meanwhile a writer goes on, and loses nothing.
func wantToBearFailures(t *testing.T, s *lab.Sandbox, masters ...string) {
	w, err := s.StartWriter(t.Context(), 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range masters {
		must(t)(s.Run(t.Context(), "stop", m))
		wantStopped(t, s, m)
		wantReady(t, s.Kubectl)
		time.Sleep(time.Second) // for the writer to write without it
		must(t)(s.Run(t.Context(), "start", m))
	}
	record := w.Stop()
	t.Logf("%d keys acknowledged, %d not, longest gap %s; last error: %v", len(record.Acknowledged), record.Failed, record.Gap, record.LastError)
	if record.Gap > farTooLong || len(record.Acknowledged) < 50 {
		t.Errorf("the writer wrote %d keys, and none for %s", len(record.Acknowledged), record.Gap)
	}
	for _, m := range mastersOf(t, s) {
		if lost, err := w.Lost(t.Context(), "https://"+m.Address+":6443"); err != nil || len(lost) > 0 {
			t.Errorf("%s has lost %v, %v", m.Name, lost, err)
		}
	}
}

// wantToSpare has a master's etcd hang, while its apiserver goes on to take connections: the balancer must hand it none.
// Nobody else may use the balancer meanwhile: it spares whom it has handed what is not yet done.
func wantToSpare(t *testing.T, s *lab.Sandbox, master string) {
	before := rows(t, s)
	etcd := before[slices.IndexFunc(before, func(r row) bool { return r.Master == s.Name+"-"+master && r.Component == "etcd" })]
	if err := syscall.Kill(etcd.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(etcd.PID, syscall.SIGCONT) }()
	until(t, "no connection to the apiserver of "+master, func(ctx context.Context) error {
		for range 10 { // each master would have its turn, of nine that there can be
			if _, err := s.Kubectl(ctx, "--namespace=default", "--request-timeout=5s", "get", "configmap", "kept"); err != nil {
				return err
			}
		}
		return nil
	})
	if diff := cmp.Diff(before, rows(t, s), withoutRole()); diff != "" { // liveness probes end what hangs, after a minute
		t.Errorf("the balancer went on until something was started again (-before +after):\n%s", diff)
	}
}

// wantStopped wants nothing to run on that master, and all else to run.
func wantStopped(t *testing.T, s *lab.Sandbox, master string) {
	t.Helper()
	for _, r := range rows(t, s) {
		want := "running"
		if r.Master == s.Name+"-"+master {
			want = "stopped"
		}
		if r.State != want {
			t.Errorf("with %s stopped %s of %s is %s", master, r.Component, r.Master, r.State)
		}
	}
	if left := processesBelow(t, filepath.Join(s.Folder(), master)+"/"); len(left) > 0 {
		t.Errorf("of %s there still run:\n%s", master, strings.Join(left, "\n"))
	}
}

// wantJoinedAgain removes all that a master has on disk: it joins the cluster that the others still are.
func wantJoinedAgain(t *testing.T, s *lab.Sandbox, master string) {
	must(t)(s.Run(t.Context(), "stop", master))
	if err := os.RemoveAll(filepath.Join(s.Folder(), master)); err != nil {
		t.Fatal(err)
	}
	out := must(t)(s.Run(t.Context(), "start", master))
	if want := "remove the dead etcd member " + s.Name + "-" + master; !strings.Contains(out, want) {
		t.Errorf("the output lacks %q:\n%s", want, out)
	}
	wantConfigMap(t, s.Kubectl, "kept")
}

// wantNoChange wants a second up to say soon that all is well, and to touch nothing.
func wantNoChange(t *testing.T, s *lab.Sandbox) {
	t.Helper()
	before, began := rows(t, s), time.Now()
	must(t)(s.Run(t.Context(), "up"))
	if took := time.Since(began); took > farTooLong {
		t.Errorf("a second up took %s", took)
	}
	if diff := cmp.Diff(before, rows(t, s), withoutRole()); diff != "" {
		t.Errorf("a second up changed what runs (-before +after):\n%s", diff)
	}
}

func wantNothingLeft(t *testing.T, s *lab.Sandbox) {
	t.Helper()
	must(t)(s.Run(t.Context(), "down"))
	if left := processesBelow(t, s.State()); len(left) > 0 {
		t.Errorf("still running:\n%s", strings.Join(left, "\n"))
	}
	if _, err := os.Stat(s.Folder()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: %v", s.Folder(), err)
	}
}
