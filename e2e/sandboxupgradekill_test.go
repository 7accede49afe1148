package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tripod.dev/tripod/e2e/lab"
)

// An upgrade of a sandbox that is killed between two masters leaves each what it is, whatever ends and comes back meanwhile.
// Run again it goes on where it was.
func TestKillSandboxUpgrade(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := upOld(t, l, "cut", 3)
	writeConfigMap(t, s.Kubectl, "kept")
	wantSandboxRefused(t, s, []string{"upgrade", "--to", "v1.99.0"}, "v1.99.0 is not supported")
	wantSandboxRefused(t, s, []string{"up", "--kubernetes-version", lab.Default}, "tripod sandbox upgrade --name cut --to "+lab.Default)
	wantSandboxOf(t, l, s, 3, lab.PreviousMinor)

	killUpgrade(t, l, s)
	done, left := mastersByVersion(t, s)
	if len(done) != 1 || len(left) != 2 {
		t.Fatalf("upgraded are %v, not %v", done, left)
	}
	wantSandboxRefused(t, s, []string{"up"}, "tripod sandbox upgrade --name cut goes on with it")
	wantAsItWas(t, l, s, done[0], lab.Default)
	wantAsItWas(t, l, s, left[0], lab.PreviousMinor)

	endAll(t, s)
	t.Log(must(t)(s.Run(t.Context(), "upgrade")))
	wantReady(t, s.Kubectl)
	wantConfigMap(t, s.Kubectl, "kept")
	wantSandboxOf(t, l, s, 3, lab.Default)
	wantNoChange(t, s)
}

// killUpgrade upgrades a sandbox until the first of its masters is of the new version.
func killUpgrade(t *testing.T, l lab.Lab, s *lab.Sandbox) {
	t.Helper()
	cmd := s.Command(t.Context(), "upgrade", "--to", lab.Default, "--bin-dir", l.Components(lab.Default))
	cmd.Path = filepath.Join(filepath.Dir(l.Tripod()), "e2e", "tripod-killpoint")
	cmd.Env = append(cmd.Env, "TRIPOD_KILL_AT=upgraded a master of the sandbox")
	if out, err := output(cmd); exitCode(err) != -1 {
		t.Fatalf("tripod was not killed: %v\n%s", err, out)
	}
}

// mastersByVersion are the masters that are of the new version by the sandbox's record, and those that are not.
func mastersByVersion(t *testing.T, s *lab.Sandbox) (upgraded, left []string) {
	t.Helper()
	for _, m := range mastersOf(t, s) {
		if m.KubernetesVersion == lab.Default {
			upgraded = append(upgraded, m.Name)
		} else {
			left = append(left, m.Name)
		}
	}
	return upgraded, left
}

// wantAsItWas stops a master and starts it: it comes back as what it was, and no upgrade begins without it.
func wantAsItWas(t *testing.T, l lab.Lab, s *lab.Sandbox, master, version string) {
	t.Helper()
	must(t)(s.Run(t.Context(), "stop", master))
	wantSandboxRefused(t, s, []string{"upgrade"}, "tripod sandbox start --name cut "+master)
	for _, e := range events(t, must(t)(s.Run(t.Context(), "start", master, "-o", "json"))) {
		if e.Event == "changed" {
			t.Errorf("the start of %s changes something: %+v", master, e)
		}
	}
	wantMasterOf(t, l, s, master, version)
}

// wantSandboxRefused wants a command to be refused with bad input, and the way out to be said.
func wantSandboxRefused(t *testing.T, s *lab.Sandbox, command []string, says string) {
	t.Helper()
	out, err := s.Run(t.Context(), command[0], command[1:]...)
	if exitCode(err) != badInput {
		t.Errorf("%v: exit code %d, want %d:\n%s", command, exitCode(err), badInput, out)
	}
	wantSays(t, out, says, "hint: ")
}

// endAll ends all that runs in a sandbox, as when the machine is switched off.
func endAll(t *testing.T, s *lab.Sandbox) {
	t.Helper()
	until(t, "nothing runs", func(context.Context) error {
		found := commandsBelow(t, s.Folder())
		for pid := range found {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
		}
		if len(found) > 0 {
			return fmt.Errorf("%d processes", len(found))
		}
		return nil
	})
}

// An upgrade that the first master does not survive goes back there, touches no other, and can be given up.
func TestSandboxUpgradeGoesBack(t *testing.T) {
	t.Parallel()
	drillOnly(t)
	l := newLab(t)
	s := upOld(t, l, "given", 3)
	writeConfigMap(t, s.Kubectl, "kept")
	out, err := s.Run(t.Context(), "upgrade", "--to", lab.Default, "--bin-dir", brokenComponents(t, l))
	if code := exitCode(err); code != notHealthy {
		t.Errorf("exit code %d, want %d:\n%s", code, notHealthy, out)
	}
	wantSays(t, out, "this is no apiserver", "the earlier kube-apiserver is back and healthy")
	wantReady(t, s.Kubectl)
	wantSandboxRefused(t, s, []string{"up"}, "with --to "+lab.PreviousMinor+" it is given up")
	t.Log(must(t)(s.Run(t.Context(), "upgrade", "--to", lab.PreviousMinor)))
	wantSandboxOf(t, l, s, 3, lab.PreviousMinor)
	wantNoChange(t, s)
	wantConfigMap(t, s.Kubectl, "kept")
}

// brokenComponents are those of the new version, but for an apiserver that ends.
func brokenComponents(t *testing.T, l lab.Lab) string {
	t.Helper()
	dir := t.TempDir()
	for _, component := range componentNames {
		if err := os.Symlink(l.Component(lab.Default, component), filepath.Join(dir, component)); err != nil {
			t.Fatal(err)
		}
	}
	script := strings.Join([]string{"#!/bin/sh", "echo this is no apiserver", "exit 3", ""}, "\n")
	path := filepath.Join(dir, "kube-apiserver")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
