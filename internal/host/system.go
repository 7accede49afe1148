package host

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Cgroup is which control groups the machine has.
type Cgroup struct {
	// Version is 1 or 2, 0 if none are mounted.
	Version int
	// Missing are the controllers that the kubelet needs and that are not there.
	Missing []string
}

// What the kubelet and kubeadm want of a machine (system-validators, types_unix.go; the
// kubelet's and volume plugins' own calls).
const (
	kubeletPrograms = "losetup mount"
	// On cgroup v2 devices are an eBPF program and the freezer is part of the kernel: neither is listed.
	controllersV1 = "cpu cpuacct cpuset devices freezer memory pids"
	controllersV2 = "cpu cpuset memory pids"
	// /etc/ssl/certs may be, or be full of, links into these.
	caBundleDirs = "/etc/pki/ca-trust /etc/pki/tls/certs /etc/ca-certificates /usr/share/ca-certificates /usr/local/share/ca-certificates"
)

// system reads what the kernel says of itself.
func (h *Host) system(s *Survey) error {
	var errs []error
	name, err := h.Hostname()
	s.Hostname = name
	memory, err2 := os.ReadFile(h.Path("/proc/meminfo"))
	s.MemoryMiB, s.AvailableMiB = meminfo(memory, "MemTotal"), meminfo(memory, "MemAvailable")
	// A kernel without swap has no such file.
	swaps, _ := os.ReadFile(h.Path("/proc/swaps"))
	s.Swap = swapAreas(swaps)
	s.Kernel, errs = kernel()
	s.Cgroup = h.cgroup()
	s.IPForward4 = h.isOne("/proc/sys/net/ipv4/ip_forward")
	s.IPForward6 = h.isOne("/proc/sys/net/ipv6/conf/default/forwarding")
	s.Missing = slices.DeleteFunc(strings.Fields(kubeletPrograms), inPath)
	s.CABundleDirs = slices.DeleteFunc(strings.Fields(caBundleDirs), func(d string) bool { return !h.Exists(d) })
	return errors.Join(append(errs, err, err2)...)
}

func kernel() (string, []error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", []error{fmt.Errorf("read the kernel's release: %w", err)}
	}
	return unix.ByteSliceToString(u.Release[:]), nil
}

func inPath(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

func (h *Host) isOne(path string) bool {
	data, err := os.ReadFile(h.Path(path))
	return err == nil && strings.TrimSpace(string(data)) == "1"
}

// meminfo is one number of /proc/meminfo in MiB, 0 if it is not there.
func meminfo(data []byte, name string) int {
	for line := range bytes.Lines(data) {
		f := strings.Fields(string(line))
		if len(f) > 1 && f[0] == name+":" {
			kib, _ := strconv.Atoi(f[1])
			return kib >> 10
		}
	}
	return 0
}

// swapAreas are the names in /proc/swaps, below its title line.
func swapAreas(data []byte) []string {
	var areas []string
	for line := range bytes.Lines(data) {
		if f := strings.Fields(string(line)); len(f) > 0 && f[0] != "Filename" {
			areas = append(areas, f[0])
		}
	}
	return areas
}

// cgroup reads which version is mounted at /sys/fs/cgroup, and its controllers.
func (h *Host) cgroup() Cgroup {
	if data, err := os.ReadFile(h.Path("/sys/fs/cgroup/cgroup.controllers")); err == nil {
		return Cgroup{Version: 2, Missing: without(controllersV2, strings.Fields(string(data)))}
	}
	if !h.Exists("/sys/fs/cgroup/memory") {
		return Cgroup{}
	}
	data, _ := os.ReadFile(h.Path("/proc/cgroups"))
	return Cgroup{Version: 1, Missing: without(controllersV1, enabledV1(data))}
}

// enabledV1 are the enabled controllers of /proc/cgroups: name, hierarchy, groups, enabled.
func enabledV1(data []byte) []string {
	var names []string
	for line := range bytes.Lines(data) {
		if f := strings.Fields(string(line)); len(f) == 4 && f[3] == "1" {
			names = append(names, f[0])
		}
	}
	return names
}

func without(wanted string, have []string) []string {
	return slices.DeleteFunc(strings.Fields(wanted), func(c string) bool { return slices.Contains(have, c) })
}

// dirs looks at directories, and at the disks that they are or would be on.
func (h *Host) dirs(paths []string) (map[string]Dir, error) {
	found := map[string]Dir{}
	var errs []error
	for _, path := range paths {
		d, err := h.dir(path)
		found[path] = d
		errs = append(errs, err)
	}
	return found, errors.Join(errs...)
}

func (h *Host) dir(path string) (Dir, error) {
	entries, err := os.ReadDir(h.Path(path))
	// A disk of its own for a directory brings its lost+found.
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return passedOver(e.Name()) })
	d := Dir{Exists: err == nil, Entries: len(entries)}
	if errors.Is(err, fs.ErrPermission) {
		return Dir{Exists: true, Writable: bare(err)}, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.Writable = bare(err) // a file where a directory should be
		return d, nil
	}
	there := h.ancestor(path)
	if !d.Exists {
		d.Above = there
	} else if info, err := os.Stat(there); err == nil {
		d.Mode = info.Mode().Perm()
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(there, &disk); err != nil {
		return d, fmt.Errorf("look at the disk of %s: %w", path, err)
	}
	d.FreeBytes = disk.Bavail * uint64(disk.Bsize)
	d.Writable = unix.Access(there, unix.W_OK|unix.X_OK)
	return d, nil
}

// ancestor is the nearest directory on the way to path that exists.
func (h *Host) ancestor(path string) string {
	there := h.Path(path)
	for {
		if info, err := os.Stat(there); err == nil && info.IsDir() || there == "/" {
			return there
		}
		there = filepath.Dir(there)
	}
}
