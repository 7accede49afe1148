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

// MountsBelow are what is mounted below a directory, not on it, the latest first: in this order they can be unmounted.
func (h *Host) MountsBelow(dir string) ([]string, error) {
	there, err := filepath.EvalSymlinks(h.Path(dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for mounts below %s: %w", dir, bare(err))
	}
	data, err := os.ReadFile(h.Path("/proc/self/mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("look for mounts below %s: %w", dir, bare(err))
	}
	var below []string
	for _, point := range mountPoints(data) {
		if strings.HasPrefix(point, there+"/") {
			below = append(below, point)
		}
	}
	slices.Reverse(below)
	return below, nil
}

// mountPoints reads lines of ID, parent, device, root, mount point and more, with spaces and the like as octal escapes.
func mountPoints(mountinfo []byte) []string {
	var points []string
	for line := range strings.Lines(string(mountinfo)) {
		if f := strings.Fields(line); len(f) > 4 {
			points = append(points, unescape(f[4]))
		}
	}
	return points
}

// unescape takes \040 for a space, as in the kernel's tables.
func unescape(text string) string {
	parts := strings.Split(text, `\`)
	for i, p := range parts[1:] {
		code, err := strconv.ParseUint(p[:min(3, len(p))], 8, 8)
		if err != nil || len(p) < 3 {
			parts[i+1] = `\` + p
			continue
		}
		parts[i+1] = string([]byte{byte(code)}) + p[3:]
	}
	return strings.Join(parts, "")
}

// UnmountBelow unmounts what is mounted below a directory, with flags of umount2(2). A mount that is gone by then, as
// one that it was shared with was unmounted, is fine.
func (h *Host) UnmountBelow(dir string, flags int) error {
	points, err := h.MountsBelow(dir)
	if err != nil {
		return err
	}
	failed := map[string]error{}
	for _, point := range points {
		if failed[point] = unix.Unmount(point, flags); errors.Is(failed[point], unix.EAGAIN) {
			failed[point] = unix.Unmount(point, flags) // MNT_EXPIRE marks it first
		}
	}
	left, err := h.MountsBelow(dir)
	for _, point := range left {
		err = errors.Join(err, fmt.Errorf("unmount %s: %w", point, failed[point]))
	}
	return err
}
