package agent

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// handle is a process that is not our child, held by a pidfd: its id can be given to another
// process, the handle can not.
type handle struct {
	pid  int
	file *os.File
}

func open(pid int) (*handle, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	return &handle{pid: pid, file: os.NewFile(uintptr(fd), fmt.Sprintf("pidfd of %d", pid))}, nil
}

func (h *handle) close() { _ = h.file.Close() }

// signal fails with ESRCH when the process is gone.
func (h *handle) signal(sig syscall.Signal) error {
	raw, err := h.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); err != nil {
		return err
	}
	return failed
}

// gone is true once the process has ended, be it a zombie still.
func (h *handle) gone() bool {
	raw, err := h.file.SyscallConn()
	if err != nil {
		return true
	}
	ended := true
	_ = raw.Control(func(fd uintptr) { ended = readable(fd) })
	return ended
}

// wait returns when the process has ended. The runtime's poller waits, not a thread.
func (h *handle) wait() {
	raw, err := h.file.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(readable)
}

// readable is what a pidfd becomes when its process ends.
func readable(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return err == nil && n > 0
}
