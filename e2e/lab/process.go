package lab

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// waitDelay is how long a process that was ended may keep its output open.
const waitDelay = 5 * time.Second

// Kill sends SIGKILL to what a command prepared by [Node.Command] runs, at once and without a chance to clean up.
func Kill(cmd *exec.Cmd) error {
	pid, err := childOf(cmd.Process.Pid)
	if err != nil {
		return cmd.Process.Kill()
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// childOf returns the first child of a process: what nsenter runs once it has entered.
func childOf(pid int) (int, error) {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(children)), " ")
	return strconv.Atoi(first)
}
