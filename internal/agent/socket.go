package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSocketPath is that of sockaddr_un, less its terminating zero.
const maxSocketPath = 107

// near is a name of a socket that its address has room for, however long its path is: where that is too long, it begins
// with the directory as this process has it open, until done.
func near(path string) (name string, done func(), err error) {
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	dir, err := os.OpenFile(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return "", nil, err
	}
	name = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	if len(name) > maxSocketPath {
		_ = dir.Close()
		return "", nil, fmt.Errorf("%s is too long for the name of a socket\nhint: choose another one with --socket", filepath.Base(path))
	}
	return name, func() { _ = dir.Close() }, nil
}

// dial connects to the socket.
func (c Client) dial(ctx context.Context) (*net.UnixConn, error) {
	name, done, err := near(c.Socket)
	if err != nil {
		return nil, err
	}
	defer done()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", name)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}

// listener is a socket with what its name begins with.
type listener struct {
	net.Listener
	done func()
}

// Close removes the socket.
func (l listener) Close() error {
	defer l.done()
	return l.Listener.Close()
}

// listen makes the socket. Who connects waits until serve is called.
func listen(path string) (net.Listener, error) {
	if err := removeDead(path); err != nil {
		return nil, err
	}
	name, done, err := near(path)
	if err != nil {
		return nil, fmt.Errorf("listen on the agent's socket: %w", err)
	}
	l, err := private().Listen(context.Background(), "unix", name)
	if err != nil {
		done()
		return nil, fmt.Errorf("listen on the agent's socket: %w", err)
	}
	return listener{l, done}, nil
}

// removeDead makes room for the socket. One at which somebody still answers, or that is no socket, stays.
func removeDead(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s is there and no socket", path)
	}
	ctx, stop := context.WithTimeout(context.Background(), answerWithin)
	defer stop()
	conn, err := Client{Socket: path}.dial(ctx)
	if err == nil {
		_ = conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, os.ErrNotExist) { // one that hangs need not even accept
		return fmt.Errorf("socket %s: %w\nhint: choose another one with --socket", path, errLocked)
	}
	return os.Remove(path)
}

// private makes sockets with mode 0600: set before the socket is bound, so that there is no moment with another one.
func private() *net.ListenConfig {
	return &net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = syscall.Fchmod(int(fd), 0o600) })
		return errors.Join(err, failed)
	}}
}
