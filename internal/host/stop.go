package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// quiet is how many looks in a row have to find no process: whoever keeps it running may be about to start it.
const quiet = 3

// KubeletRuns says whether a kubelet runs, and whether its service is at work at all: one that fails waits to be started again.
func (h *Host) KubeletRuns(ctx context.Context) (runs, kept bool) {
	runs = len(h.processes("kubelet")) > 0
	if !h.systemd() {
		return runs, runs
	}
	units, err := showUnits(ctx, "kubelet")
	return runs, runs || err == nil && units["kubelet"].kept()
}

// kept is a unit that systemd runs, or will start again.
func (u unit) kept() bool {
	return u["LoadState"] == "loaded" && u["ActiveState"] != "inactive" && u["ActiveState"] != "failed"
}

// StopKubelet stops the kubelet's service, and ends whatever kubelet runs without one. Where somebody else keeps a kubelet
// running, the files that they wait for have to be gone before.
func (h *Host) StopKubelet(ctx context.Context) error {
	if h.systemd() {
		units, err := showUnits(ctx, "kubelet")
		if err != nil {
			return err
		}
		if units["kubelet"].kept() {
			if _, err := systemctl(ctx, "stop", "kubelet"); err != nil {
				return err
			}
		}
	}
	return h.end(ctx, "kubelet")
}

// end ends all processes of a program, until none is started any more.
func (h *Host) end(ctx context.Context, program string) error {
	looks := 0
	return again(ctx, kubeletWithin, func() error {
		pids := h.processes(program)
		for _, pid := range pids {
			if err := h.signal(pid, program, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("end %s (pid %d): %w", program, pid, err)
			}
		}
		if len(pids) > 0 {
			looks = 0
			return fmt.Errorf("%s (pid %d) does not end, or is started again\nhint: stop whoever keeps it running", program, pids[0])
		}
		if looks++; looks < quiet {
			return fmt.Errorf("%s has just ended", program)
		}
		return nil
	})
}

// processes are those of a program on this machine. Those of containers, which are machines of their own for this
// purpose, can be seen from here, too: their mounts are others.
func (h *Host) processes(name string) []int {
	mounts := filepath.Join("ns", "mnt")
	own, _ := os.Readlink(h.Path(filepath.Join("/proc/self", mounts)))
	found, _ := filepath.Glob(h.Path("/proc/[0-9]*"))
	var pids []int
	for _, dir := range found {
		if theirs, _ := os.Readlink(filepath.Join(dir, mounts)); theirs != own || program(dir) != name {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// signal signals the process if it still is one of the program, and no later one with the same id.
func (h *Host) signal(pid int, name string, sig syscall.Signal) error {
	p, err := OpenProcess(pid)
	if err != nil {
		return err
	}
	defer p.Close()
	if now := program(h.Path(filepath.Join("/proc", strconv.Itoa(pid)))); now != name {
		return fmt.Errorf("process %d is %s now: %w", pid, now, syscall.ESRCH)
	}
	return unix.PidfdSendSignal(p.fd, sig, nil, 0)
}
