package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// world is a cluster in which verb follows verb, on its first master or on another one. Its operator changes something before each.
type world struct {
	nodes []*lab.Node // its masters, the first one first
	init  []string    // the arguments of its init
	// masters are the whole of it where there are several; nil where there is one.
	masters *masters
	other   *lab.Node // that joins and is reset
	count   int       // of what was changed
}

// afterVerb is something that befalls a cluster.
type afterVerb struct {
	name string
	do   func(*testing.T, *world)
	// may are objects that it is there to change, as patterns.
	may string
	// nothing is a verb that has nothing to do.
	nothing bool
}

// After every verb, every other one does what it is there for and nothing else: what the cluster keeps is kept, its quorum
// too, and nothing piles up.
func TestVerbAfterVerb(t *testing.T) {
	drillOnly(t)
	m := newMasters(t, "tripod")
	for number := range byte(2) {
		m.join(t, "tripod", m.machine(t, 2+number))
	}
	w := &world{nodes: m.nodes[:3:3], init: append(lab.TripodInit(lab.Default), "--control-plane-endpoint=10.88.0.1:6443"), masters: m, other: m.machine(t, 4)}
	w.revoke(t)
	verbs := []afterVerb{initAgain(), initOther(), upgradeSame(), applyOther(), renewAll(), goBack(), joinOther(), resetOther(), reboot(), killApply()}
	for _, i := range everyPair(len(verbs)) {
		w.after(t, verbs[i])
	}
	m.wantNothingLost(t)
}

// A slice of it, on one master: init after init, after a change, and after a change that was killed.
func TestInitAfterVerb(t *testing.T) {
	t.Parallel()
	drillOnly(t)
	n := newNode(t, lab.Machine{})
	w := &world{nodes: []*lab.Node{n}, init: lab.TripodInit(n.Version)}
	must(t)(n.Run(t.Context(), "tripod", w.init...))
	w.revoke(t)
	for _, verb := range []afterVerb{initAgain(), applyOther(), initAgain(), initOther(), killApply(), initAgain()} {
		w.after(t, verb)
	}
}

// everyPair is a walk through so many things in which each follows each, and itself, once.
func everyPair(things int) []int {
	var walk []int
	for i := range things {
		walk = append(walk, i)
		for j := i + 1; j < things; j++ {
			walk = append(walk, i, j)
		}
	}
	return append(walk, 0)
}

// after has the operator change something, then the verb happen, and wants nothing else to have changed.
func (w *world) after(t *testing.T, verb afterVerb) {
	t.Helper()
	w.change(t)
	objects, files := w.objects(t), w.files(t)
	began := time.Now()
	verb.do(t, w)
	t.Logf("%s took %s", verb.name, time.Since(began).Round(time.Millisecond))
	w.wantKept(t, verb, objects)
	w.wantFiles(t, verb, files)
	if t.Failed() {
		t.FailNow()
	}
}

// applied is a configuration that nobody has applied yet.
func (w *world) applied(t *testing.T) string {
	t.Helper()
	const path = "/var/applied.yaml"
	w.count++
	document := fmt.Sprintf("{apiVersion: kubeadm.k8s.io/v1beta4, kind: ClusterConfiguration, scheduler: {extraArgs: [{name: kube-api-burst, value: %q}]}}", fmt.Sprint(100+w.count))
	if err := os.WriteFile(w.nodes[0].Path(path), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// first runs tripod on the first master.
func (w *world) first(t *testing.T, args ...string) string {
	t.Helper()
	return must(t)(w.nodes[0].Run(t.Context(), "tripod", args...))
}

// initAgain is what brought the cluster up. Where that is not what it is now, init says so, and what is made for it.
func initAgain() afterVerb {
	return afterVerb{name: "init", nothing: true, do: func(t *testing.T, w *world) {
		out, err := w.nodes[0].Run(t.Context(), "tripod", w.init...)
		if code := exitCode(err); code != 0 && (code != badInput && code != unfit || !strings.Contains(out, "tripod apply")) {
			t.Errorf("exit code %d:\n%s", code, out)
		}
	}}
}

func initOther() afterVerb {
	return afterVerb{name: "init with another configuration", nothing: true, do: func(t *testing.T, w *world) {
		out, err := w.nodes[0].Run(t.Context(), "tripod", slices.Concat(w.init, []string{"--service-cidr=10.97.0.0/16"})...)
		if code := exitCode(err); code != badInput {
			t.Errorf("exit code %d, want %d:\n%s", code, badInput, out)
		}
	}}
}

func upgradeSame() afterVerb {
	return afterVerb{name: "upgrade", do: func(t *testing.T, w *world) {
		w.first(t, "upgrade", "apply", lab.Default, "--yes", ignored)
	}}
}

func applyOther() afterVerb {
	return afterVerb{name: "apply", may: "ConfigMap kube-system/kubeadm-config", do: func(t *testing.T, w *world) {
		w.first(t, "apply", "-f", w.applied(t), "--yes", ignored)
	}}
}

func renewAll() afterVerb {
	return afterVerb{name: "renew", do: func(t *testing.T, w *world) { w.first(t, "certs", "renew", "all") }}
}

func goBack() afterVerb {
	return afterVerb{name: "rollback", do: func(t *testing.T, w *world) {
		if len(generations(t, w.nodes[0])) > 1 {
			w.first(t, "rollback", "--yes", ignored)
		}
	}}
}

func joinOther() afterVerb {
	return afterVerb{name: "join of another", may: "Node /master-4|Secret kube-system/(bootstrap-token-.*|kubeadm-certs)|Role.* kube-system/kubeadm:kubeadm-certs", do: func(t *testing.T, w *world) {
		words := strings.Fields(strings.TrimSpace(w.first(t, "token", "create", "--control-plane")))
		must(t)(w.other.Run(t.Context(), "tripod", append(words[1:], lab.Ignored)...))
	}}
}

func resetOther() afterVerb {
	return afterVerb{name: "reset of another", may: "Node /master-4", do: func(t *testing.T, w *world) {
		must(t)(w.other.Run(t.Context(), "tripod", "reset", "--force"))
		must(t)(w.nodes[0].Kubectl(t.Context(), "delete", "node", w.other.Name, "--ignore-not-found"))
	}}
}

func reboot() afterVerb {
	return afterVerb{name: "reboot", do: func(t *testing.T, w *world) {
		n := w.nodes[1]
		w.masters.quorum.Leave(n)
		powerCycle(t, n)
		until(t, n.Name+" is back", func(ctx context.Context) error { return errors.Join(serves(ctx, n), answers(ctx, n)) })
		if err := w.masters.quorum.Watch(n); err != nil {
			t.Fatal(err)
		}
	}}
}

// killApply is a change that is killed, and asked for again.
func killApply() afterVerb {
	return afterVerb{name: "kill", may: applyOther().may, do: func(t *testing.T, w *world) {
		path := w.applied(t)
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
		defer stop()
		_ = w.nodes[0].Command(ctx, "tripod", "apply", "-f", path, "--yes", ignored).Run()
		w.first(t, "apply", "-f", path, "--yes", ignored)
	}}
}
