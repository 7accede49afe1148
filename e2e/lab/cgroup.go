package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const cgroupRoot = "/sys/fs/cgroup"

// unified says whether this machine has control groups v2 only.
func unified() bool {
	_, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers"))
	return err == nil
}

// hierarchies are the folders that the kubelet wants its control group in: the one of v2, or each of v1.
func hierarchies() []string {
	if unified() {
		return []string{cgroupRoot}
	}
	dirs, _ := filepath.Glob(filepath.Join(cgroupRoot, "*", "tasks"))
	for i, file := range dirs {
		dirs[i] = filepath.Dir(file)
	}
	return dirs
}

// makeControlGroup makes the group below which a node's kubelet puts its pods, in every hierarchy.
func makeControlGroup(name string) error {
	dirs := hierarchies()
	if len(dirs) == 0 {
		return errors.New("no control groups are mounted at " + cgroupRoot)
	}
	for _, dir := range dirs {
		if unified() {
			passControllersOn(dir)
		}
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return fmt.Errorf("make the control group: %w", err)
		}
		if err := copyCPUSet(dir, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// passControllersOn lets the groups below have every controller, one write each: one that can not be passed on must
// not keep the others.
func passControllersOn(dir string) {
	controllers, _ := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	for _, name := range strings.Fields(string(controllers)) {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+name), 0)
	}
}

// copyCPUSet gives a new v1 group the processors and memory of its parent: it starts with none, and can hold nothing.
func copyCPUSet(parent, child string) error {
	if unified() {
		return nil
	}
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(child, name), value, 0)
		}
		if err != nil {
			return fmt.Errorf("set up the control group: %w", err)
		}
	}
	return nil
}

// everyHierarchy are the folders in which a container runtime may make control groups: those of hierarchies, and beside
// hierarchies of v1 that of v2, which holds no controllers then.
func everyHierarchy() []string {
	found, _ := filepath.Glob(filepath.Join(cgroupRoot, "*", "cgroup.procs"))
	if unified() {
		found = []string{filepath.Join(cgroupRoot, "cgroup.procs")}
	}
	for i, file := range found {
		found[i] = filepath.Dir(file)
	}
	return found
}

// removeControlGroup removes a group and all below it, and ends what still runs in there.
func removeControlGroup(name string) error {
	var err error
	for _, dir := range everyHierarchy() {
		err = errors.Join(err, removeTree(filepath.Join(dir, name)))
	}
	return err
}

func removeTree(group string) error {
	entries, _ := os.ReadDir(group)
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeTree(filepath.Join(group, entry.Name())); err != nil {
				return err
			}
		}
	}
	var err error
	for deadline := time.Now().Add(waitDelay); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		err = os.Remove(group)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !errors.Is(err, syscall.EBUSY) {
			break
		}
		killIn(group)
	}
	return fmt.Errorf("remove the control group: %w", err)
}

// killIn kills the processes of a group. Those that it does not find or may not kill keep the group, which is told.
func killIn(group string) {
	procs, _ := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	for _, field := range strings.Fields(string(procs)) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 1 { // 0 is one of another namespace
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
