package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Network is what nodes are plugged into that are to see each other: a bridge in a network namespace of its own, with
// no way out. It is gone when the program that made it is, and the nodes are. The network itself is at 10.88.0.1.
type Network struct{ namespace *os.File }

// networkAddress is where nodes find the network itself.
const networkAddress = "10.88.0.1"

// NewNetwork makes a network. The caller closes it, after its nodes.
func (l Lab) NewNetwork(ctx context.Context) (*Network, error) {
	namespace, err := newNamespace()
	if err != nil {
		return nil, fmt.Errorf("make a network: %w", err)
	}
	w := &Network{namespace}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"}, {"link", "add", "bridge", "type", "bridge"},
		{"address", "add", networkAddress + "/24", "dev", "bridge"}, {"link", "set", "bridge", "up"},
	} {
		if err := w.ip(ctx, args...); err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}
	return w, nil
}

// Close lets go of the network. It ends with the last node in it.
func (w *Network) Close() error { return w.namespace.Close() }

// Dial connects from the network itself.
func (w *Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return dialIn(ctx, w.namespace, network, address)
}

// listen listens at the network itself.
func (w *Network) listen(at netip.AddrPort) (net.Listener, error) {
	var listener net.Listener
	err := inNetwork(w.namespace, func() (err error) {
		listener, err = net.Listen("tcp", at.String())
		return err
	})
	return listener, err
}

func (w *Network) ip(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--net=/proc/self/fd/3", "ip"}, args...)...)
	cmd.ExtraFiles = []*os.File{w.namespace}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip %v in the nodes' network: %w: %s", args, err, out)
	}
	return nil
}

// newNamespace makes a network namespace that lives as long as the file is open.
func newNamespace() (*os.File, error) {
	runtime.LockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer here.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("%w (this needs root)", err)
	}
	there, err := os.Open("/proc/thread-self/ns/net")
	if back := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); back != nil {
		return nil, errors.Join(err, back) // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return there, err
}
