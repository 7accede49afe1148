package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"tripod.dev/tripod/e2e/lab"
)

// What a user of `make up` gets: a healthy master whose data and whose work go on whatever is killed.
func TestSandbox(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			s := newSandbox(t, "one", version)
			wantReady(t, s.Kubectl)
			wantVersion(t, s.Kubectl, version)
			writeConfigMap(t, s.Kubectl, "kept")
			for _, component := range componentNames {
				killInSandbox(t, s, component)
				wantConfigMap(t, s.Kubectl, "kept")
			}
			wantLeases(t, s.Kubectl)
			until(t, "ready again", func(ctx context.Context) error { return ready(ctx, s.Kubectl) })
		})
	}
}

func wantVersion(t *testing.T, k kubectl, version string) {
	t.Helper()
	out := must(t)(k(t.Context(), "get", "--raw=/version"))
	if !strings.Contains(out, fmt.Sprintf("%q", version)) {
		t.Errorf("the apiserver is not %s:\n%s", version, out)
	}
}

// killInSandbox ends a component as kill -9 does, and waits until the agent has brought it back.
func killInSandbox(t *testing.T, s *lab.Sandbox, component string) {
	t.Helper()
	var before row
	until(t, component+" runs", func(context.Context) error { // it may be backing off from the end of what it needs
		if before = running(t, s)[component]; before.State != "running" || before.PID == 0 {
			return fmt.Errorf("it is %s", before.State)
		}
		return nil
	})
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatalf("kill %s: %v", component, err)
	}
	until(t, component+" comes back", func(context.Context) error {
		if now := running(t, s)[component]; now.State != "running" || now.PID == before.PID {
			return fmt.Errorf("it is %s, pid %d", now.State, now.PID)
		}
		return nil
	})
}

// row is what sandbox status says of a component.
type row struct {
	Master, Component, Role, State string
	PID, Restarts                  int
}

// rows are all that status says of what runs.
func rows(t *testing.T, s *lab.Sandbox) []row {
	t.Helper()
	var status struct{ Components []row }
	out, err := s.Command(t.Context(), "status", "-o", "json").Output()
	if err == nil {
		err = json.Unmarshal(out, &status)
	}
	if err != nil {
		t.Fatalf("sandbox status: %v\n%s", err, out)
	}
	return status.Components
}

// running are the rows of a sandbox of one master, by component.
func running(t *testing.T, s *lab.Sandbox) map[string]row {
	t.Helper()
	all := map[string]row{}
	for _, r := range rows(t, s) {
		all[r.Component] = r
	}
	return all
}

// A change that a component does not survive is taken back: what was healthy before is healthy again, with its data. It is
// made by apply; up refuses it.
func TestSandboxGoesBack(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, "back", lab.Default)
	writeConfigMap(t, s.Kubectl, "kept")
	before, patches := running(t, s)["etcd"], "--patches="+badFlag(t)
	wantUpRefused(t, s, "no-such-flag", patches)
	out, err := s.Run(t.Context(), "apply", patches)
	if code := exitCode(err); code != notHealthy {
		t.Errorf("exit code %d, want %d", code, notHealthy)
	}
	for _, want := range []string{"flag provided but not defined: -no-such-flag", "the earlier", "is back and healthy"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	if now := running(t, s)["etcd"]; now.State != "running" || now.PID == before.PID {
		t.Errorf("etcd is %s, pid %d, before pid %d", now.State, now.PID, before.PID)
	}
	until(t, "ready again", func(ctx context.Context) error { return ready(ctx, s.Kubectl) })
	wantConfigMap(t, s.Kubectl, "kept")
}

// wantUpRefused wants an up with other flags to touch nothing, to name the difference and the verb that makes it.
func wantUpRefused(t *testing.T, s *lab.Sandbox, why string, flags ...string) {
	t.Helper()
	before, record := rows(t, s), recordOf(t, s)
	out, err := s.Run(t.Context(), "up", flags...)
	if exitCode(err) != badInput || !strings.Contains(out, why) || !strings.Contains(out, "tripod sandbox ") {
		t.Errorf("up %s: exit code %d\n%s", strings.Join(flags, " "), exitCode(err), out)
	}
	if diff := cmp.Diff(before, rows(t, s), withoutRole()); diff != "" {
		t.Errorf("a refusal changed what runs (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(record, recordOf(t, s)); diff != "" {
		t.Errorf("a refusal changed the record (-before +after):\n%s", diff)
	}
}

func recordOf(t *testing.T, s *lab.Sandbox) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.Folder(), "sandbox.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// `make up` again says at once that all is well, and touches nothing: whatever it is not given, and from whatever shell it is
// called. What is given otherwise is refused.
func TestSandboxUpAgain(t *testing.T) {
	l := newLab(t)
	s := closedSandbox(t, l, "again")
	configs := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(configs, name)
		if err := os.WriteFile(path, []byte("{apiVersion: kubeadm.k8s.io/v1beta4, kind: ClusterConfiguration, "+text+"}"), 0o600); err != nil {
			t.Fatal(err)
		}
		return "--config=" + path
	}
	first := write("first.yaml", `apiServer: {extraArgs: [{name: v, value: "1"}]}`)
	must(t)(s.Run(t.Context(), "up", first, "--bin-dir="+l.Components(lab.Default)))
	before, record := running(t, s), recordOf(t, s)
	for _, flags := range [][]string{nil, {first}} {
		again := s.Command(t.Context(), "up", flags...)
		again.Env = append(again.Env, "HTTPS_PROXY=http://127.0.0.1:1")
		began := time.Now()
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("up again: %v\n%s", err, out)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("a second up took %s", took)
		}
	}
	wantUpRefused(t, s, "extraArgs", write("other.yaml", `apiServer: {extraArgs: [{name: v, value: "2"}]}`))
	wantUpRefused(t, s, "runs Kubernetes", "--kubernetes-version="+lab.PreviousMinor)
	wantUpRefused(t, s, "runs the programs of", "--bin-dir="+configs)
	if diff := cmp.Diff(before, running(t, s)); diff != "" {
		t.Errorf("a second up changed what runs (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(record, recordOf(t, s)); diff != "" {
		t.Errorf("a second up changed the record (-before +after):\n%s", diff)
	}
}

// A sandbox that is brought down leaves neither a process nor a file.
func TestSandboxDown(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, "down", lab.Default)
	must(t)(s.Run(t.Context(), "down"))
	if left := processesBelow(t, s.State()); len(left) > 0 {
		t.Errorf("still running:\n%s", strings.Join(left, "\n"))
	}
	if _, err := os.Stat(s.Folder()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: %v", s.Folder(), err)
	}
	must(t)(s.Run(t.Context(), "down"))
}

// Two sandboxes come up side by side on the standard ports, and know nothing of each other.
func TestTwoSandboxes(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	boxes := make([]*lab.Sandbox, 2)
	for i, name := range []string{"left", "right"} {
		s, err := l.NewSandbox(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		boxes[i] = s
	}
	var ups errgroup.Group
	for _, s := range boxes {
		ups.Go(func() error {
			_, err := s.Run(t.Context(), "up", "--bin-dir", l.Components(lab.Default))
			return err
		})
	}
	if err := ups.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, s := range boxes {
		writeConfigMap(t, s.Kubectl, s.Name)
	}
	wantConfigMap(t, boxes[0].Kubectl, "left")
	must(t)(boxes[0].Run(t.Context(), "down"))
	wantConfigMap(t, boxes[1].Kubectl, "right")
}
