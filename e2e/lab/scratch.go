package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// folder is where the lab keeps everything that it writes. TRIPOD_LAB_DIR moves it to another disk.
func (l Lab) folder() string {
	if dir := os.Getenv("TRIPOD_LAB_DIR"); dir != "" {
		return dir
	}
	return filepath.Join(l.Root, "bin", "lab")
}

// scratch is the folder of one run. It is locked as long as whoever made it lives, so that the next one can tell what
// was left behind by a test that was killed.
type scratch struct {
	path string
	lock *os.File
}

// newScratch makes a folder for one run, and clears away what the dead have left.
func (l Lab) newScratch(kind string) (scratch, error) {
	if err := os.MkdirAll(l.folder(), 0o755); err != nil {
		return scratch{}, fmt.Errorf("make the lab's folder: %w", err)
	}
	unlock, err := lockFile(filepath.Join(l.folder(), ".lock"))
	if err != nil {
		return scratch{}, err
	}
	defer unlock()
	l.sweep()
	path, err := os.MkdirTemp(l.folder(), kind+"-")
	if err != nil {
		return scratch{}, err
	}
	s := scratch{path: path}
	s.lock, err = tryLock(path)
	return s, err
}

// sweep removes the folders that nobody holds any more. What it can not remove, the next one will.
func (l Lab) sweep() {
	for _, kind := range []string{"node", "raw", "box"} {
		found, _ := filepath.Glob(filepath.Join(l.folder(), kind+"-*"))
		for _, path := range found {
			lock, err := tryLock(path)
			if err != nil {
				continue
			}
			if kind == "box" {
				l.downAll(path)
			}
			_ = scratch{path, lock}.remove()
		}
	}
}

// downAll stops the sandboxes that have their state in a folder.
func (l Lab) downAll(state string) {
	found, _ := filepath.Glob(filepath.Join(state, "tripod", "sandboxes", "*"))
	for _, dir := range found {
		s := Sandbox{Name: filepath.Base(dir), lab: l, state: scratch{path: state}}
		_ = s.Command(context.Background(), "down").Run()
	}
}

// controlGroup is the name of the control group that belongs to the folder.
func (s scratch) controlGroup() string { return "tripod-lab-" + filepath.Base(s.path) }

func (s scratch) remove() error {
	defer s.lock.Close()
	return errors.Join(removeControlGroup(s.controlGroup()), forceRemove(s.path))
}

// forceRemove removes a folder, also one that a container was still writing to a moment ago.
func forceRemove(path string) error {
	err := os.RemoveAll(path)
	for range 10 {
		if err == nil {
			return nil
		}
		err = os.RemoveAll(path)
	}
	return err
}

// tryLock locks a folder, or fails at once if somebody has it.
func tryLock(path string) (*os.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// lockFile waits for a lock that several processes share.
func lockFile(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { file.Close() }, nil
}
