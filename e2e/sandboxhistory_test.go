package e2e

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// A master whose etcd was begun anew, alone, lacks what the others have acknowledged since it was down. They join it again, and
// what they had is kept; nobody answers from what he has cached of it.
func TestSandboxForcedNewCluster(t *testing.T) {
	t.Parallel()
	s := newMastersSandbox(t, "anew", 3)
	must(t)(s.Run(t.Context(), "stop", "m1"))
	until(t, "acknowledged without m1", func(ctx context.Context) error {
		_, err := s.Kubectl(ctx, "create", "configmap", "acknowledged")
		return err
	})
	must(t)(s.Run(t.Context(), "stop", "m2", "m3"))
	beginAnew(t, s, "m1")
	out := must(t)(s.Run(t.Context(), "up"))
	wantVoters(t, s, 3)
	for _, m := range mastersOf(t, s) {
		if list := must(t)(s.Kubectl(t.Context(), "get", "configmaps", "--server=https://"+m.Address+":6443")); strings.Contains(list, "acknowledged") {
			t.Errorf("%s shows what etcd does not have:\n%s", m.Name, list)
		}
	}
	for _, master := range []string{"m2", "m3"} {
		kept, err := filepath.Glob(filepath.Join(s.Folder(), master, "var/lib/etcd.kept-*/member/snap/db"))
		if err != nil || len(kept) != 1 || !strings.Contains(out, "are kept in "+strings.TrimSuffix(kept[0], "/member/snap/db")) {
			t.Errorf("of the data of %s are kept %v, %v, and told:\n%s", master, kept, err, out)
		}
	}
}

// beginAnew runs a stopped master's etcd with --force-new-cluster until it has become a cluster of its own.
func beginAnew(t *testing.T, s *lab.Sandbox, master string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.Folder(), master, "etc/kubernetes/manifests/etcd.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	args, metrics := []string{"--force-new-cluster"}, ""
	for line := range strings.Lines(string(data)) {
		if arg, is := strings.CutPrefix(strings.TrimSpace(line), "- --"); is {
			args = append(args, "--"+arg)
		}
		if _, url, is := strings.Cut(line, "--listen-metrics-urls="); is {
			metrics = strings.TrimSpace(url)
		}
	}
	cmd := exec.Command(filepath.Join(newLab(t).Components(lab.Default), "etcd"), args...)
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "a cluster of its own", func(ctx context.Context) error {
		ctx, stop := context.WithTimeout(ctx, time.Second)
		defer stop()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, metrics+"/readyz", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return errors.New(answer.Status)
		}
		return nil
	})
	if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), ended(cmd)); err != nil {
		t.Fatalf("%v\n%.2000s", err, log.String())
	}
}

// ended waits for a program that was told to end.
func ended(cmd *exec.Cmd) error {
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		return err
	}
	return nil
}
