package agent

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// errLocked is why a second agent does not start.
var errLocked = errors.New("another agent is at work")

// lockAll locks the directories themselves: nothing has to lie in them for that.
//
// A process that is being forked holds the locks too until it has become the pod's program, so no
// other agent can look for processes while one is about to appear.
func lockAll(paths ...string) (unlock func(), err error) {
	var locked []*os.File
	unlock = func() {
		for _, f := range locked {
			_ = f.Close()
		}
	}
	for _, path := range paths {
		f, err := lock(path)
		if err != nil {
			unlock()
			return nil, err
		}
		locked = append(locked, f)
	}
	return unlock, nil
}

func lock(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("%w\nhint: a manifest directory and a state directory have one agent each; end that one first", errLocked)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}
