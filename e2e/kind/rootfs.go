package kind

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// rootfs is a Debian file system as mmdebstrap makes it.
type rootfs struct {
	name    string
	variant string   // of mmdebstrap: how much comes with the packages
	include []string // packages
	hooks   []string // shell commands; $1 is the file system
}

const release = "bookworm"

// machine is what a node has beside Kubernetes. Its services are those of the node's own units alone.
func machine() rootfs {
	return rootfs{
		name: "machine", variant: "minbase",
		include: []string{
			"systemd-sysv", "dbus", "iproute2", "iptables", "nftables", "ebtables", "conntrack", "socat", "ethtool", "util-linux", "mount",
			"kmod", "procps", "jq", "curl", "ca-certificates", "containernetworking-plugins", "runc",
		},
		hooks: []string{
			`rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/* "$1"/usr/share/doc/* "$1"/usr/share/man/* "$1"/usr/share/locale/*`,
			`rm -f "$1"/etc/systemd/system/*.wants/* "$1"/lib/systemd/system/multi-user.target.wants/* "$1"/lib/systemd/system/local-fs.target.wants/*`,
			`rm -f "$1"/lib/systemd/system/sockets.target.wants/*udev* "$1"/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup*.service`,
			`chroot "$1" systemctl mask systemd-binfmt.service systemd-firstboot.service systemd-udevd.service getty.target console-getty.service`,
			`echo ReadKMsg=no >>"$1"/etc/systemd/journald.conf`,
			`mkdir -p "$1"/etc/kubernetes/manifests "$1"/opt/cni/bin "$1"/var/lib/kubelet "$1"/kind`,
		},
	}
}

// proxyTools is what kube-proxy calls.
func proxyTools() rootfs {
	return rootfs{
		name: "proxy", variant: "extract", include: []string{"iptables", "nftables", "conntrack", "ipset"},
		hooks: []string{
			`for t in iptables ip6tables; do for part in "" -save -restore; do ln -sf $t-nft$part "$1"/usr/sbin/$t$part; done; done`,
			`rm -rf "$1"/usr/share/doc "$1"/usr/share/man "$1"/usr/share/locale "$1"/var/lib/apt "$1"/var/lib/dpkg "$1"/var/cache`,
		},
	}
}

// file is where the file system is kept: its name says what it was made from.
func (r rootfs) file(dir string) string {
	return filepath.Join(dir, r.name+"-"+digest(fmt.Sprint(release, r))+".tar")
}

// make makes the file system as a tar, unless an earlier one is kept, and returns where it is.
func (r rootfs) make(ctx context.Context, dir string) (string, error) {
	file := r.file(dir)
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	args := []string{"--quiet", "--format=tar", "--variant=" + r.variant, "--include=" + strings.Join(r.include, ",")}
	when := "customize"
	if r.variant == "extract" { // which is never set up, and so has nothing to customize
		when = "extract"
	}
	for _, hook := range r.hooks {
		args = append(args, "--"+when+"-hook="+hook)
	}
	part := file + ".part"
	out, err := exec.CommandContext(ctx, "mmdebstrap", append(args, release, part)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("mmdebstrap: %w: %s\nhint: this needs mmdebstrap, the keys of Debian's archive and a way to its packages (on Debian: apt-get install mmdebstrap debian-archive-keyring)", err, out)
	}
	return file, os.Rename(part, file)
}

func digest(of string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(of)))[:12] }
