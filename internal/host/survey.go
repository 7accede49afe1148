package host

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Survey is what one look at the machine finds: what the preflight checks judge. It holds
// what is, not whether it is good.
type Survey struct {
	// Hostname is in lower case, as node names are.
	Hostname string
	// CPUs are those that this process may use.
	CPUs int
	// MemoryMiB is all memory, AvailableMiB what could be had without swapping.
	MemoryMiB, AvailableMiB int
	UID                     int
	// Swap are the swap areas in use.
	Swap []string
	// Kernel is its release, 6.1.0-18-amd64.
	Kernel string
	Cgroup Cgroup
	// IPForward4 and IPForward6 are whether the kernel routes between interfaces.
	IPForward4, IPForward6 bool
	// Missing are the programs that the kubelet runs and that are not in PATH.
	Missing []string
	// Addresses are those of all interfaces.
	Addresses []netip.Addr
	// CABundleDirs are the directories with the machine's CA bundles that exist beside /etc/ssl/certs.
	CABundleDirs []string

	// Listeners are the TCP sockets that listen on a port that was asked for.
	Listeners map[uint16][]Listener
	// Dirs are the directories that were asked for, whether or not they exist.
	Dirs map[string]Dir
	// Images says which of the images that were asked for the runtime has.
	Images map[string]bool

	// Systemd is whether systemd is the init.
	Systemd bool
	// Resolved and Firewalld are whether systemd-resolved and firewalld are active.
	Resolved, Firewalld bool
	Service             Service
	// Kubelet is the configuration of the kubelet, if its directory was asked for.
	Kubelet KubeletConfig
	// KubeletErr is why it can not be read.
	KubeletErr error
	// KubeletVersion is "1.36.3", "" if it was not asked for or is not known.
	KubeletVersion string
	Runtime        Runtime
}

// Listener is a listening TCP socket.
type Listener struct {
	Addr netip.AddrPort
	// PID is its process, 0 if this process may not see it.
	PID int
	// Process is the name of its program.
	Process string
}

// Dir is a directory, or where one would be made.
type Dir struct {
	Exists bool
	// Mode is its permission bits, 0 if it does not exist.
	Mode fs.FileMode
	// Above is the nearest directory above it, in which it would be made; "" if it exists.
	Above string
	// Entries counts what is in it, without lost+found and what was set aside.
	Entries int
	// FreeBytes is the room on its disk.
	FreeBytes uint64
	// Writable is nil, or why this process can not write into it or make it.
	Writable error
}

// Ask says what a Survey should look for beyond what costs nothing.
type Ask struct {
	Ports []uint16
	Dirs  []string
	// CRISocket is unix://...; "" where there is no container runtime, and then no image is looked for.
	CRISocket string
	Images    []string
	// KubeletFiles are the files that the kubelet's service reads when it starts.
	KubeletFiles []string
	// KubeletDir is the kubelet's directory, whose configuration is read; "" where there is no kubelet.
	KubeletDir string
	// Manifests is where static pods are. A kubelet that looks for them there by another name has it so in its Kubelet.
	Manifests string
	// KubeletVersion wants the kubelet's version. It costs a tenth of a second of computing: the kubelet has to be run.
	KubeletVersion bool
}

// Survey looks at everything at once. An error means that the machine could not be read;
// what can be missing on a machine is told by the fields.
func (h *Host) Survey(ctx context.Context, ask Ask) (Survey, error) {
	s := Survey{CPUs: runtime.NumCPU(), UID: os.Geteuid(), Systemd: h.systemd()}
	var all errgroup.Group
	all.Go(func() (err error) { return h.system(&s) })
	all.Go(func() (err error) { s.Addresses, err = h.Addresses(); return err })
	all.Go(func() (err error) { s.Listeners, err = h.listeners(ask.Ports); return err })
	all.Go(func() (err error) { s.Dirs, err = h.dirs(ask.Dirs); return err })
	all.Go(func() error { h.askRuntime(ctx, ask, &s); return nil })
	all.Go(func() error { h.askSystemd(ctx, ask, &s); return nil })
	all.Go(func() error { h.askKubelet(ask, &s); return nil })
	if ask.KubeletVersion {
		all.Go(func() error { s.KubeletVersion = kubeletVersion(ctx); return nil })
	}
	return s, errors.Join(all.Wait(), ctx.Err())
}
