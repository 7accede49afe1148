package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// Nothing is left of a machine's control groups in any hierarchy, nested ones included, whatever still runs in there.
func TestRemoveControlGroup(t *testing.T) {
	t.Parallel()
	name := fmt.Sprintf("tripod-lab-test-%d", os.Getpid())
	var groups []string
	for _, dir := range everyHierarchy() {
		group := filepath.Join(dir, name, "pod", "container")
		if err := os.MkdirAll(group, 0o755); err != nil {
			t.Skip("it takes control groups that can be written: ", err)
		}
		groups = append(groups, group)
	}
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	held := 0
	for _, group := range groups { // a group without processors takes no process
		if os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(cmd.Process.Pid)), 0) == nil {
			held++
		}
	}
	if err := removeControlGroup(name); err != nil {
		t.Error(err)
	}
	if held > 0 {
		if err := <-ended; err == nil {
			t.Error("the process has ended by itself")
		}
	} else {
		_ = cmd.Process.Kill()
	}
	if left, _ := filepath.Glob(filepath.Join(cgroupRoot, "*", name)); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	if _, err := os.Stat(filepath.Join(cgroupRoot, name)); err == nil {
		t.Error("it is left")
	}
}
