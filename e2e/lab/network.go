package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Network is what nodes are plugged into that are to see each other: a bridge in a network namespace of its own, with
// no way out. It is gone when the program that made it is, and the nodes are.
type Network struct{ namespace *os.File }

// NewNetwork makes a network. The caller closes it, after its nodes.
func (l Lab) NewNetwork(ctx context.Context) (*Network, error) {
	namespace, err := newNamespace()
	if err != nil {
		return nil, fmt.Errorf("make a network: %w", err)
	}
	w := &Network{namespace}
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"link", "add", "bridge", "type", "bridge"}, {"link", "set", "bridge", "up"}} {
		if err := w.ip(ctx, args...); err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}
	return w, nil
}

// Close lets go of the network. It ends with the last node in it.
func (w *Network) Close() error { return w.namespace.Close() }

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
