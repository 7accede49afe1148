package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tripod.dev/tripod/internal/host"
)

// answerWithin is the time that an agent has for one answer. It answers out of its memory, in milliseconds.
const answerWithin = 5 * time.Second

// Hung is an agent whose socket is there, and that does not answer.
type Hung struct {
	Socket string
	// PID is the agent's, 0 if it is not known.
	PID int
}

// Error names the process, and what to do with it.
func (e *Hung) Error() string {
	text := fmt.Sprintf("the agent at %s has not answered within %s", e.Socket, answerWithin)
	if e.PID == 0 {
		return text
	}
	doing, way := "it hangs", fmt.Sprintf("kill -9 %d ends it, and its pods go on", e.PID)
	if stopped(e.PID) {
		doing, way = "it is stopped", fmt.Sprintf("kill -CONT %d lets it go on", e.PID)
	}
	return fmt.Sprintf("%s: %s (pid %d)\nhint: %s; tripod sandbox stop and down end it by themselves", text, doing, e.PID, way)
}

// Is says that the runner hangs.
func (e *Hung) Is(target error) bool { return target == host.ErrHangs }

// stopped says whether the process has been stopped by a signal.
func stopped(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	state := strings.TrimLeft(string(data[strings.LastIndexByte(string(data), ')')+1:]), " ")
	return strings.HasPrefix(state, "T") || strings.HasPrefix(state, "t")
}

// limited runs one call to the agent, which has answerWithin for it.
func (c Client) limited(ctx context.Context, call func(context.Context) error) error {
	limited, stop := context.WithTimeout(ctx, answerWithin)
	defer stop()
	err := call(limited)
	switch {
	case err == nil || limited.Err() == nil:
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("ask the agent at %s: %w", c.Socket, context.Cause(ctx))
	}
	pid, _ := c.listener() // 0 where it is not known
	return &Hung{Socket: c.Socket, PID: pid}
}

// listener is the process that made the socket and still has it. The kernel says so, whether that answers or not.
func (c Client) listener() (pid int, err error) {
	ctx, stop := context.WithTimeout(context.Background(), answerWithin)
	defer stop()
	conn, err := c.dial(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		var peer *unix.Ucred
		if peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); failed == nil {
			pid = int(peer.Pid)
		}
	})
	return pid, errors.Join(err, failed)
}

// killHung ends the agent that has the socket and does not answer.
func (c Client) killHung() error {
	pid, err := c.listener()
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist) {
		return nil // it has ended
	}
	if err != nil {
		return fmt.Errorf("end the agent at %s, which does not answer: %w", c.Socket, err)
	}
	h, err := open(pid)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer h.close()
	// The handle is that process's only if it still is the one with the socket.
	if again, err := c.listener(); err != nil || again != pid {
		return nil
	}
	if err := h.signal(syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end the agent %d, which does not answer: %w", pid, err)
	}
	h.wait()
	return nil
}
