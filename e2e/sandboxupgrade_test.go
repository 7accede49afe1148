package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// A sandbox is upgraded one master after the other, and nobody who calls it through its balancer notices.
func TestSandboxUpgrade(t *testing.T) {
	for _, masters := range []int{1, 3} {
		t.Run(fmt.Sprint(masters), func(t *testing.T) {
			l := newLab(t)
			s := upOld(t, l, masters)
			writeConfigMap(t, s.Kubectl, "kept")
			var calls *lab.Caller
			if masters > 1 {
				calls = callSandbox(t, s)
			}
			out := must(t)(s.Run(t.Context(), "upgrade", "--to", lab.Default, "--bin-dir", l.Components(lab.Default)))
			t.Log(out)
			if calls != nil {
				wantAnswered(t, calls)
			}
			wantConfigMap(t, s.Kubectl, "kept")
			wantSandboxOf(t, l, s, masters, lab.Default)
			again := must(t)(s.Run(t.Context(), "upgrade", "--to", lab.Default, "--bin-dir", l.Components(lab.Default), "-o", "json"))
			for _, e := range events(t, again) {
				if e.Event == "changed" {
					t.Errorf("the second upgrade changes something: %+v", e)
				}
			}
			must(t)(s.Run(t.Context(), "up")) // goes on with the version that it has
			wantSandboxOf(t, l, s, masters, lab.Default)
		})
	}
}

// upOld is a sandbox of the earlier minor version.
func upOld(t *testing.T, l lab.Lab, masters int) *lab.Sandbox {
	t.Helper()
	s, err := l.NewSandbox("old")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Log(must(t)(s.Run(t.Context(), "up", "--masters", fmt.Sprint(masters), "--kubernetes-version", lab.PreviousMinor, "--bin-dir", l.Components(lab.PreviousMinor))))
	return s
}

// callSandbox begins to call a sandbox through its balancer, 50 times a second.
func callSandbox(t *testing.T, s *lab.Sandbox) *lab.Caller {
	t.Helper()
	calls, err := s.StartCaller(t.Context(), time.Second/50)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { calls.Stop() })
	return calls
}

// wantSandboxOf wants every process of the sandbox's masters to be of that version, and the cluster to say so.
func wantSandboxOf(t *testing.T, l lab.Lab, s *lab.Sandbox, masters int, version string) {
	t.Helper()
	var status struct {
		Components []struct {
			Master, Component, Version, State string
			PID                               int
		}
	}
	if err := json.Unmarshal([]byte(must(t)(s.Run(t.Context(), "status", "-o", "json"))), &status); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, c := range status.Components {
		if c.Component == "balancer" {
			continue
		}
		seen++
		exe, err := os.Readlink(filepath.Join("/proc", fmt.Sprint(c.PID), "exe"))
		if want := l.Component(version, c.Component); err != nil || c.Version != version || !sameFile(t, exe, want) {
			t.Errorf("%s of %s (%s): runs %s, want %s: %v", c.Component, c.Master, c.Version, exe, want, err)
		}
	}
	if seen != 4*masters {
		t.Errorf("%d components, want %d", seen, 4*masters)
	}
	config := must(t)(s.Kubectl(t.Context(), "--namespace=kube-system", "get", "configmap", "kubeadm-config", "--output=jsonpath={.data.ClusterConfiguration}"))
	if !strings.Contains(config, "kubernetesVersion: "+version) {
		t.Errorf("kubeadm-config says\n%s", config)
	}
}

func sameFile(t *testing.T, one, other string) bool {
	t.Helper()
	a, err := os.Stat(one)
	if err != nil {
		t.Error(err)
		return false
	}
	b, err := os.Stat(other)
	return err == nil && os.SameFile(a, b)
}
