package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tripod.dev/tripod/e2e/docker"
	"tripod.dev/tripod/e2e/kind"
	"tripod.dev/tripod/e2e/lab"
)

// contender is one way to a healthy master, or to several.
type contender struct {
	letter, what string
	run          func(context.Context, *bench) (sample, error)
}

var contenders = []contender{
	{"a", "raw processes, one by one", raw},
	{"b", "tripod sandbox up", sandbox},
	{"c", "kubeadm init", kubeadmInit},
	{"d", "tripod init", tripodInit},
	{"e", "the kubelet's own floor", floor},
	{"f", "tripod init, its four pods alone", tripodPods},
	{"g", "kubeadm upgrade apply, 1 master", upgrade("kubeadm")},
	{"h", "tripod upgrade apply, 1 master", upgrade("tripod")},
	{"i", "tripod apply, nothing to change", nothingToApply},
	{"j", "an apiserver of 3 away in an upgrade", apiserverAway},
	{"k", "tripod init phase certs", certificates},
	{"m", "kubeadm init in a kind node", kindInit(realKubeadm)},
	{"n", "tripod init in a kind node", kindInit(ours)},
	{"o", "kubeadm join of a worker", kindJoin(realKubeadm)},
	{"p", "tripod join of a worker", kindJoin(ours)},
	{"q", "kind with kubeadm, 1 master", kindCluster(realKubeadm, 1, 0)},
	{"r", "kind with tripod, 1 master", kindCluster(ours, 1, 0)},
	{"s", "kind with kubeadm, 1 + 2 workers", kindCluster(realKubeadm, 1, 2)},
	{"t", "kind with tripod, 1 + 2 workers", kindCluster(ours, 1, 2)},
	{"u", "kubeadm join of a second master", kindMaster(realKubeadm)},
	{"v", "tripod join of a second master", kindMaster(ours)},
	{"w", "kind with kubeadm, 3 masters", kindCluster(realKubeadm, 3, 0)},
	{"x", "kind with tripod, 3 masters", kindCluster(ours, 3, 0)},
	{"y", "tripod sandbox up, 3 masters", sandboxOfThree},
	{"z", "tripod join of five masters at once", fiveAtOnce}, // no bound: most of it are the five seconds that etcd waits between members
}

// ours and realKubeadm are the two node images, alike but for what is called kubeadm in them.
var ours, realKubeadm = kind.Recipe{}, kind.Recipe{Kubeadm: true}

// sample is one run. CPU and memory are those of the program measured, not of what it brings up; 0 if there is none.
type sample struct {
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpuSeconds,omitempty"`
	Memory  int64   `json:"peakBytes,omitempty"`
}

// bench is what the contenders share.
type bench struct {
	lab     lab.Lab
	earlier string // the files of an earlier init; see floor
	engine  *docker.Engine
	kept    bool // the engine was there before
}

func (b *bench) close() {
	if b.engine != nil && !b.kept {
		_ = b.engine.Stop()
	}
	if b.earlier != "" {
		_ = os.RemoveAll(b.earlier)
	}
}

func raw(ctx context.Context, b *bench) (sample, error) {
	r, err := b.lab.PrepareRaw(ctx, lab.Default, netip.MustParseAddr("127.200.0.1"))
	if err != nil {
		return sample{}, err
	}
	unix.Sync()
	began := time.Now()
	err = r.Up(ctx)
	took := time.Since(began)
	return sample{Seconds: took.Seconds()}, errors.Join(err, r.Close())
}

func sandbox(ctx context.Context, b *bench) (sample, error) { return b.sandbox(ctx) }

func sandboxOfThree(ctx context.Context, b *bench) (sample, error) {
	return b.sandbox(ctx, "--masters=3")
}

func (b *bench) sandbox(ctx context.Context, args ...string) (s sample, err error) {
	box, err := b.lab.NewSandbox("bench")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	unix.Sync()
	return timed(box.Command(ctx, "up", append(args, "--bin-dir", b.lab.Components(lab.Default))...))
}

func kubeadmInit(ctx context.Context, b *bench) (sample, error) {
	return b.onNode(ctx, nil, "kubeadm", lab.KubeadmInit(lab.Default)...)
}

func tripodInit(ctx context.Context, b *bench) (sample, error) {
	return b.onNode(ctx, nil, b.lab.Tripod(), lab.TripodInit(lab.Default)...)
}

// tripodPods is init without what comes after the four pods: no more than the floor does.
func tripodPods(ctx context.Context, b *bench) (sample, error) {
	return b.onNode(ctx, nil, b.lab.Tripod(), append(lab.TripodInit(lab.Default), "--skip-phases=upload-config,bootstrap-token,addon,mark-control-plane")...)
}

// certificates is the whole command: start of the program, facts, all pairs drawn, signed and on disk. The key that
// signs tokens is there already: it is no certificate, and to find an RSA key takes as long as luck will have it.
func certificates(ctx context.Context, b *bench) (s sample, err error) {
	n, err := b.lab.Start(ctx, lab.Machine{})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	phase := func(name string) *exec.Cmd {
		return n.Command(ctx, b.lab.Tripod(), append([]string{"init", "phase", name}, lab.TripodInit(lab.Default)[1:]...)...)
	}
	if _, err := timed(phase("certs/sa")); err != nil {
		return s, err
	}
	return timed(phase("certs"))
}

// onNode times a command on a fresh machine, and may look at the machine afterwards.
func (b *bench) onNode(ctx context.Context, look func(*lab.Node) error, name string, args ...string) (s sample, err error) {
	n, err := b.lab.Start(ctx, lab.Machine{})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	unix.Sync() // what the machine's own making has left to write is not the command's to wait for
	if s, err = timed(n.Command(ctx, name, args...)); err != nil || look == nil {
		return s, err
	}
	return s, look(n)
}

// timed runs a command and measures it.
func timed(cmd *exec.Cmd) (sample, error) {
	began := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(began)
	if err != nil {
		return sample{}, fmt.Errorf("%w\n%s", err, out)
	}
	s := sample{Seconds: took.Seconds(), CPU: (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.Memory = usage.Maxrss << 10
	}
	return s, nil
}
