package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Process is one that was found by its number: another that gets the same number later is never meant.
type Process struct {
	PID int
	fd  int
}

// OpenProcess finds a process. The caller makes sure, by what it knows of it, that it is the right one, and closes it.
func OpenProcess(pid int) (Process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return Process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	return Process{PID: pid, fd: fd}, nil
}

// Kill ends it at once. One that has ended is fine.
func (p Process) Kill() error {
	if err := unix.PidfdSendSignal(p.fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process %d: %w", p.PID, err)
	}
	return nil
}

// Close forgets it.
func (p Process) Close() error { return unix.Close(p.fd) }

// established is TCP_ESTABLISHED of net/tcp_states.h as the tables in /proc/net have it.
const established = "01"

// Connections counts those that the process has with clients at the port.
func (h *Host) Connections(p Process, port uint16) int {
	process := h.Path(filepath.Join("/proc", strconv.Itoa(p.PID)))
	own, count := socketInodes(process), 0
	for _, table := range []string{"tcp", "tcp6"} {
		data, _ := os.ReadFile(filepath.Join(process, "net", table)) // what can not be read has none that can be counted
		for line := range strings.Lines(string(data)) {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != established {
				continue
			}
			local, err := parseSocketAddr(f[1])
			if err == nil && local.Port() == port && slices.Contains(own, f[9]) {
				count++
			}
		}
	}
	return count
}
