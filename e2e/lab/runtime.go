package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// pauseImage is the sandbox image of every pod, whatever the Kubernetes version.
const pauseImage = "registry.k8s.io/pause:3.10.2"

// containerdConfig is the configuration for a node that lives in dir.
func containerdConfig(dir string) string {
	return fmt.Sprintf(`version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.erofs", "io.containerd.snapshotter.v1.zfs", "io.containerd.nri.v1.nri",
]

[plugins."io.containerd.cri.v1.images"]
snapshotter = %q

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = %q

[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = %t
`, snapshotter(dir), pauseImage, !canLowerOOMScore())
}

const overlayMagic = 0x794c7630

// snapshotter is overlayfs, except where dir itself lies on one: overlayfs can not be stacked like that.
func snapshotter(dir string) string {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err == nil && stat.Type == overlayMagic {
		return "native"
	}
	return "overlayfs"
}

// canLowerOOMScore says whether this process has CAP_SYS_RESOURCE, without which no oom_score_adj can be lowered.
func canLowerOOMScore() bool {
	const sysResource = 24
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		var caps uint64
		if _, err := fmt.Sscanf(line, "CapEff: %x", &caps); err == nil {
			return caps&(1<<sysResource) != 0
		}
	}
	return false
}

// kubeletFlags are what the machine, not the cluster, makes necessary.
func kubeletFlags(group string) []string {
	flags := []string{"--cgroup-root=" + filepath.Join("/", group), "--fail-swap-on=false"}
	if !unified() {
		flags = append(flags, "--fail-cgroupv1=false")
	}
	return flags
}
