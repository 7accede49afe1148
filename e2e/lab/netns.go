package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Dial connects from within the node's network, as something that runs there would.
func (n *Node) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	there, err := n.namespace()
	if err != nil {
		return nil, err
	}
	defer there.Close()
	return dialIn(ctx, there, network, address)
}

// namespace is the node's network. As long as the file is open it outlives the node.
func (n *Node) namespace() (*os.File, error) {
	return os.Open(fmt.Sprintf("/proc/%d/ns/net", n.pid))
}

func dialIn(ctx context.Context, there *os.File, network, address string) (net.Conn, error) {
	var conn net.Conn
	err := inNetwork(there, func() (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// inNetwork does something in another network namespace. A socket stays in the namespace that it was made in, so the
// thread can come back at once.
func inNetwork(there *os.File, do func() error) error {
	runtime.LockOSThread()
	here, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
	if err != nil {
		return err
	}
	defer here.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter the node's network: %w", err)
	}
	err = do()
	if back := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, back) // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}
