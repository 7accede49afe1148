package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tripod.dev/tripod/internal/host"
)

func TestRunsWhatIsThereAndWhatComes(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("first.yaml", manifest("first", "sleep", "", ""))
	l.run()
	first := l.running("first", 0)
	equal(t, "revision", first.Revision, "r-first")

	begin := time.Now()
	l.put("second", manifest("second", "sleep", "", "")) // any extension counts, also none
	second := l.running("second", 0)
	// Milliseconds on an idle machine; what matters is that nothing waits for a relist or a timer.
	if took := second.StartedAt.Sub(begin); took > 2*time.Second {
		t.Errorf("started %s after the rename", took)
	}
	l.put("note.yaml", "kind: Pod\n")
	l.eventually("the broken file is told", func() bool {
		state, err := l.State(t.Context())
		return err == nil && slices.ContainsFunc(state.Files, func(f FileState) bool {
			return f.File == "note.yaml" && len(f.Problems) == 1
		})
	})
	l.remove("second")
	l.gone(second.PID)
	if !alive(first.PID) {
		t.Error("the other pod has ended too")
	}
}

func TestProcessIsOnItsOwn(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("env.yaml", manifest("env", "env", `args: ["--a=$(FOO)", "$$(FOO)", "$(UNKNOWN)"]
workingDir: `+l.dir+`
`, "")+"")
	text := manifest("env", "env", "args: [\"--a=$(FOO)\", \"$$(FOO)\", \"$(UNKNOWN)\"]\nworkingDir: "+l.dir+"\n", "")
	text = strings.Replace(text, "    env:\n", "    env:\n    - {name: FOO, value: bar}\n    - {name: BAR, value: \"<$(FOO)>\"}\n", 1)
	l.put("env.yaml", text)
	l.run()
	l.logged("env", markerName)
	c := l.running("env", 0)

	lines := tail(c.Log)
	equal(t, "arguments", lines[0], "--a=bar|$(FOO)|$(UNKNOWN)")
	equal(t, "working directory", lines[1], l.dir)
	for _, variable := range []string{"FOO=bar", "BAR=<bar>", "HOME=/"} {
		if !slices.Contains(lines, variable) {
			t.Errorf("no %s in %q", variable, lines)
		}
	}
	if session, _ := unix.Getsid(c.PID); session != c.PID {
		t.Errorf("session %d of process %d is not its own", session, c.PID)
	}
	if group, _ := unix.Getpgid(c.PID); group == unix.Getpgrp() {
		t.Error("is in the agent's process group")
	}
	stdin, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/0", c.PID))
	equal(t, "stdin", []any{stdin, err}, []any{"/dev/null", nil})
	info, err := os.Stat(c.Log)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("log: %v %v", info.Mode(), err)
	}
}

func TestChangedManifestReplacesTheProcess(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("p.yaml", manifest("p", "sleep", "", ""))
	l.run()
	old := l.running("p", 0)
	l.logged("p", "ready")

	changed := strings.Replace(manifest("p", "sleep", "args: [x]", ""), "r-p", "r-2", 1)
	l.put("p.yaml", changed)
	var c ContainerState
	l.eventually("the new one runs", func() bool { c = l.container("p"); return c.Revision == "r-2" && c.State == "running" })
	if alive(old.PID) {
		t.Error("the old process is still there")
	}
	equal(t, "restarts", c.Restarts, 0)
	equal(t, "last exit", c.LastExit, (*ExitState)(nil))

	l.put("p.yaml", "# a comment changes nothing\n"+changed)
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "pid", l.running("p", 0).PID, c.PID)
}

func TestGraceThenKill(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("p.yaml", manifest("p", "stubborn", "", "terminationGracePeriodSeconds: 1\n"))
	l.run()
	c := l.running("p", 0)
	l.logged("p", "stubborn")
	begin := time.Now()
	l.remove("p.yaml")
	l.gone(c.PID)
	if took := time.Since(begin); took < time.Second {
		t.Errorf("killed after %s", took)
	}
	l.eventually("the pod is off the board", func() bool { return l.container("p").Name == "" })
}

func TestKilledComponentIsBackAtOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("p.yaml", manifest("p", "sleep", "", ""))
	l.run()
	c := l.running("p", 0)
	kill(t, c.PID, syscall.SIGKILL)
	again := l.running("p", 1)
	if gap := again.StartedAt.Sub(again.LastExit.At); gap > firstBackOff/2 {
		t.Errorf("back after %s", gap)
	}
	equal(t, "exit", []any{again.LastExit.Code, again.LastExit.Signal, again.LastExit.Reason}, []any{137, "killed", "Error"})

	kill(t, again.PID, syscall.SIGKILL)
	l.eventually("the second restart is held back", func() bool {
		c := l.container("p")
		return c.State == host.Waiting && c.NextStart != nil && time.Until(*c.NextStart) > 8*time.Second
	})
}

func TestCrashTellsCodeAndLastLines(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("p.yaml", manifest("p", "exit", `args: ["3"]`, ""))
	l.run()
	var running host.Running
	l.eventually("two crashes", func() bool {
		var err error
		running, err = l.Pod(t.Context(), "p")
		return err == nil && running.State == host.Waiting && running.Restarts == 1
	})
	equal(t, "code", running.Exit.Code, 3)
	equal(t, "lines", len(running.Exit.Log), tailLines)
	equal(t, "last line", running.Exit.Log[tailLines-1], "line 29")
	equal(t, "revision", running.Revision, "r-p")
}

func TestRestartPolicies(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		policy, code string
		restarted    bool
	}{
		"Never":             {"Never", "3", false},
		"OnFailure, failed": {"OnFailure", "3", true},
		"OnFailure, done":   {"OnFailure", "0", false},
		"Always, done":      {"Always", "0", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.put("p.yaml", manifest("p", "exit", fmt.Sprintf("args: [%q]", test.code), "restartPolicy: "+test.policy+"\n"))
			l.run()
			l.eventually("it has ended", func() bool {
				c := l.container("p")
				return c.State == host.Exited && !test.restarted || c.State == host.Waiting && test.restarted
			})
		})
	}
}

func TestChildrenEndWithTheContainer(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("p.yaml", manifest("p", "family", "", ""))
	l.run()
	child, err := strconv.Atoi(strings.TrimSpace(l.logged("p", "child ")))
	if err != nil {
		t.Fatal(err)
	}
	kill(t, l.running("p", 0).PID, syscall.SIGKILL)
	l.running("p", 1)
	if alive(child) {
		t.Error("the child has outlived its container")
	}
}

func TestStartThatFailsIsRetried(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	wanted := filepath.Join(l.dir, "data")
	l.put("p.yaml", manifest("p", "sleep", "volumeMounts: [{name: d, mountPath: "+wanted+"}]\n",
		"volumes: [{name: d, hostPath: {path: "+wanted+", type: Directory}}]\n"))
	l.run()
	var running host.Running
	l.eventually("the start fails", func() bool {
		var err error
		running, err = l.Pod(t.Context(), "p")
		return err == nil && running.Exit != nil
	})
	equal(t, "state", running.State, host.Waiting)
	if !strings.HasPrefix(running.Exit.Reason, "StartError: host path "+wanted) {
		t.Errorf("reason %q", running.Exit.Reason)
	}
	if err := os.Mkdir(wanted, 0o700); err != nil {
		t.Fatal(err)
	}
	l.running("p", 0)
}

func TestRefusalIsToldAndTheOldPodGoesOnUntilTheRelist(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("p.yaml", manifest("p", "sleep", "", ""))
	l.run()
	old := l.running("p", 0)
	l.put("p.yaml", manifest("p", "sleep", "lifecycle: {preStop: {sleep: {seconds: 1}}}", ""))
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	running, err := l.Pod(t.Context(), "p")
	refused := new(Refused)
	if !errors.As(err, &refused) {
		t.Fatalf("error %v", err)
	}
	equal(t, "refusal", refused, &Refused{File: "p.yaml", Problems: []Problem{{"spec.containers[0].lifecycle", unsupported}}})
	equal(t, "pid", running.PID, old.PID)

	l.put("p.yaml", manifest("p", "sleep", "", ""))
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = l.Pod(t.Context(), "p")
	equal(t, "error", err, nil)
	equal(t, "pid", l.running("p", 0).PID, old.PID)
}

func TestManifestDirectoryMayGoAndComeBack(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("p.yaml", manifest("p", "sleep", "", ""))
	l.run()
	c := l.running("p", 0)
	if err := os.RemoveAll(l.options.Manifests); err != nil {
		t.Fatal(err)
	}
	l.gone(c.PID)
	if err := os.Mkdir(l.options.Manifests, 0o700); err != nil {
		t.Fatal(err)
	}
	l.put("p.yaml", manifest("p", "sleep", "", ""))
	l.running("p", 0)
}

func TestOneAgentPerDirectory(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.run()
	other := l.options
	other.State, other.Socket = filepath.Join(l.dir, "other"), ""
	if err := Run(t.Context(), other); !errors.Is(err, errLocked) {
		t.Errorf("same manifests: %v", err)
	}
	other = l.options
	other.Manifests = filepath.Join(l.dir, "others")
	if err := Run(t.Context(), other); !errors.Is(err, errLocked) {
		t.Errorf("same state: %v", err)
	}
}

func TestSocketIsPrivate(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.run()
	info, err := os.Stat(l.options.Socket)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "mode", info.Mode(), os.ModeSocket|0o600)
}

func TestNoAgent(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for name, err := range map[string]error{"Start": l.Start(t.Context()), "Alive": l.Alive(t.Context())} {
		if err == nil || !strings.Contains(err.Error(), "\nhint: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAgentLeavesOrEndsItsPods(t *testing.T) {
	t.Parallel()
	for _, stop := range []bool{false, true} {
		t.Run(fmt.Sprint("stop=", stop), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.options.StopPodsOnExit = stop
			l.put("p.yaml", manifest("p", "sleep", "", ""))
			leave := l.run()
			c := l.running("p", 0)
			leave()
			equal(t, "alive", alive(c.PID), !stop)
		})
	}
}

func TestShutdownByTheSocket(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("p.yaml", manifest("p", "sleep", "", ""))
	done := make(chan error, 1)
	go func() { done <- Run(context.Background(), l.options) }()
	l.eventually("the agent answers", func() bool { return l.Alive(t.Context()) == nil })
	c := l.running("p", 0)
	if err := l.shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "error", <-done, nil)
	equal(t, "alive", alive(c.PID), false)
}
