package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tripod.dev/tripod/internal/host"
)

// stop stops a process, and returns when all of its threads stand still.
func (l *lab) stop(pid int) {
	l.t.Helper()
	kill(l.t, pid, syscall.SIGSTOP)
	l.eventually(fmt.Sprintf("process %d stands still", pid), func() bool {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		for _, task := range tasks {
			data, err := os.ReadFile(task)
			if err == nil && !strings.Contains(string(data), ") T ") {
				return false
			}
		}
		return len(tasks) > 0
	})
}

// An agent that hangs is named, keeps nobody, and is ended with its pods by who shuts it down.
func TestHungAgent(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("p.yaml", manifest("p", "sleep", "", ""))
	pid := l.daemon()
	c := l.running("p", 0)
	l.stop(pid)

	err := StartDaemon(t.Context(), "/bin/false", l.options)
	want := fmt.Sprintf("it is stopped (pid %d)\nhint: kill -CONT %d", pid, pid)
	if !errors.Is(err, host.ErrHangs) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Alive(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	equal(t, "alive", []bool{alive(pid), alive(c.PID)}, []bool{true, true})
	if err := Shutdown(t.Context(), l.options); err != nil {
		t.Fatal(err)
	}
	equal(t, "alive", []bool{alive(pid), alive(c.PID)}, []bool{false, false})
}

// An agent that is stopped in the midst of its end is ended all the same.
func TestAgentHangsAtItsEnd(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("p.yaml", manifest("p", "stubborn", "", "terminationGracePeriodSeconds: 600\n"))
	pid := l.daemon()
	l.running("p", 0)
	l.logged("p", "stubborn")
	ended := make(chan error, 1)
	go func() { ended <- l.Client.end(context.Background(), pid) }()
	l.eventually("the pod is ending", func() bool { return strings.HasPrefix(l.container("p").Reason, "ending") })
	l.stop(pid)
	if err := <-ended; !errors.Is(err, host.ErrHangs) {
		t.Errorf("got %v", err)
	}
}
