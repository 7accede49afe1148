package agent

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"tripod.dev/tripod/internal/host"
)

// The tests of this file run the agent as a process of its own.

func (l *lab) daemon() (pid int) {
	l.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := StartDaemon(context.Background(), exe, l.options); err != nil {
		l.t.Fatal(err)
	}
	state, err := l.State(context.Background())
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		if h, err := open(state.PID); err == nil {
			_ = h.signal(syscall.SIGKILL)
			h.wait()
			h.close()
		}
	})
	return state.PID
}

func TestDaemonStartsOnceAndShutsDown(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("p.yaml", manifest("p", "sleep", "", ""))
	pid := l.daemon()
	equal(t, "pid of a second start", l.daemon(), pid)
	c := l.running("p", 0)

	other := l.options
	other.BinDir = l.dir
	if err := StartDaemon(t.Context(), "/bin/false", other); err == nil || !strings.Contains(err.Error(), "\nhint: ") {
		t.Errorf("other binaries: %v", err)
	}
	for range 2 { // nothing to shut down is no error
		if err := Shutdown(t.Context(), l.options); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "alive", []bool{alive(pid), alive(c.PID)}, []bool{false, false})
}

func TestDaemonThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if err := os.WriteFile(l.options.Socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	err = StartDaemon(t.Context(), exe, l.options)
	if err == nil || !strings.Contains(err.Error(), "agent.sock is there and no socket") {
		t.Errorf("error %v", err)
	}
}

// The agent is killed; the next one takes the processes over: none is doubled, none forgotten.
func TestKilledAgentIsSucceeded(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, name := range []string{"same", "changed", "removed", "dies"} {
		l.put(name+".yaml", manifest(name, "sleep", "", ""))
	}
	l.put("family.yaml", manifest("family", "family", "", ""))
	agent := l.daemon()
	before := map[string]ContainerState{}
	for _, name := range []string{"same", "changed", "removed", "dies", "family"} {
		before[name] = l.running(name, 0)
	}
	var child int
	if _, err := fmt.Sscan(l.logged("family", "child "), &child); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"same", "changed", "removed"} {
		l.logged(name, "ready")
	}
	kill(t, agent, syscall.SIGKILL)
	l.gone(agent)

	l.put("changed.yaml", manifest("changed", "sleep", "args: [x]", ""))
	l.remove("removed.yaml")
	for _, name := range []string{"dies", "family"} {
		kill(t, before[name].PID, syscall.SIGKILL)
		l.gone(before[name].PID)
	}
	l.daemon()

	same := l.running("same", 0)
	equal(t, "same process", []any{same.PID, same.Adopted, same.StartedAt.Equal(before["same"].StartedAt)}, []any{before["same"].PID, true, true})
	l.eventually("the changed one is replaced", func() bool {
		c := l.container("changed")
		return c.State == host.Started && c.PID != before["changed"].PID && c.Reason == ""
	})
	l.gone(before["changed"].PID)
	l.gone(before["removed"].PID)
	l.running("dies", 1)
	l.running("family", 1)
	l.logged("family", "child ")
	if alive(child) {
		t.Error("a child of a container that ended unseen is still there")
	}
	count := map[string]int{}
	found, err := scan(l.options.Manifests)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range found {
		count[m.Pod]++
		m.close()
	}
	equal(t, "processes", count, map[string]int{"kube-system/same": 1, "kube-system/changed": 1, "kube-system/dies": 1, "kube-system/family": 2})

	kill(t, same.PID, syscall.SIGKILL)
	again := l.running("same", 1)
	equal(t, "unknown exit", []any{again.LastExit.Code, again.LastExit.Reason, again.Adopted}, []any{-1, "Unknown", false})
}

func TestShutdownWithoutAnAgentEndsWhatItLeft(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("p.yaml", manifest("p", "sleep", "", ""))
	agent := l.daemon()
	c := l.running("p", 0)
	l.logged("p", "ready")
	kill(t, agent, syscall.SIGKILL)
	l.gone(agent)
	if err := Shutdown(t.Context(), l.options); err != nil {
		t.Fatal(err)
	}
	equal(t, "alive", alive(c.PID), false)
}

// Pods end one after the other, by name from the last, whether an agent is there or not.
func TestShutdownEndsTheLastFirst(t *testing.T) {
	t.Parallel()
	for _, orphaned := range []bool{false, true} {
		t.Run(fmt.Sprint("orphaned=", orphaned), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.put("a.yaml", manifest("a", "sleep", "", ""))
			l.put("b.yaml", manifest("b", "stubborn", "", "terminationGracePeriodSeconds: 1\n"))
			agent := l.daemon()
			a, b := l.running("a", 0), l.running("b", 0)
			l.logged("a", "ready")
			l.logged("b", "stubborn")
			if orphaned {
				kill(t, agent, syscall.SIGKILL)
				l.gone(agent)
			}
			done := make(chan error, 1)
			go func() { done <- Shutdown(context.Background(), l.options) }()
			time.Sleep(500 * time.Millisecond) // half of b's grace
			equal(t, "alive in the meantime", []bool{alive(a.PID), alive(b.PID)}, []bool{true, true})
			equal(t, "error", <-done, nil)
			equal(t, "alive", []bool{alive(a.PID), alive(b.PID)}, []bool{false, false})
		})
	}
}

// A pod that is never restarted is not started again because its agent was.
func TestNeverMeansNeverAcrossAgents(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("p.yaml", manifest("p", "exit", `args: ["0"]`, "restartPolicy: Never\n"))
	leave := l.run()
	l.eventually("it has ended", func() bool { return l.container("p").State == host.Exited })
	leave()
	l.run()
	l.eventually("it still has", func() bool { return l.container("p").State == host.Exited })
	end := l.container("p").LastExit
	equal(t, "exit", []any{end.Code, end.Log[len(end.Log)-1]}, []any{-1, "line 29"})
}

// What carries the mark of another manifest directory, or none, is left alone.
func TestOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command(exe)
	other.Env = []string{roleVariable + "=sleep", marker{Manifests: l.options.Manifests + "x", Pod: "n/p"}.String()}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	l.run()
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "alive", alive(other.Process.Pid), true)
}
