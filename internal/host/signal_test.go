package host

import (
	"errors"
	"os/exec"
	"syscall"
	"testing"
)

// A signal for a program does not reach a process of another one that has its id by now.
func TestSignalByName(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := Open("/")
	if err := h.signal(cmd.Process.Pid, "kubelet", syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("got %v", err)
	}
	if err := h.signal(cmd.Process.Pid, "sleep", syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("it has ended by %v", err)
	}
}

// Every directory that was made has the mode, whatever the umask.
func TestMkdirModes(t *testing.T) {
	t.Parallel()
	h := Open(t.TempDir())
	if err := h.Mkdir("/a/b/c", 0o777); err != nil {
		t.Fatal(err)
	}
	d, err := h.dirs([]string{"/a", "/a/b", "/a/b/c"})
	if err != nil || d["/a"].Mode != 0o777 || d["/a/b"].Mode != 0o777 || d["/a/b/c"].Mode != 0o777 {
		t.Errorf("%v, %v", d, err)
	}
}
