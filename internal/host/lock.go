package host

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Locked is the error of a Lock that another process holds.
type Locked struct {
	Path string
	// PID is the holder, 0 if it did not say.
	PID int
	// Command is the holder's program and verb, without its flags (they may hold a token).
	Command string
}

func (e *Locked) Error() string {
	who := "another process"
	switch {
	case e.Command != "":
		who = fmt.Sprintf("%s (pid %d)", e.Command, e.PID)
	case e.PID != 0:
		who = fmt.Sprintf("pid %d", e.PID)
	}
	return fmt.Sprintf("%s is held by %s\nhint: wait until it has finished", e.Path, who)
}

// Lock takes the lock file at path, whose directory has to be there, or fails at once with
// a *Locked. The kernel frees it when the process ends, however it ends.
func (h *Host) Lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(h.Path(path), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, explain(err, path))
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		defer f.Close()
		return nil, h.holder(f.Name(), path)
	}
	if err == nil && !h.is(f, path) {
		// A reset has removed the file, last of all, between the two calls.
		return nil, errors.Join(fmt.Errorf("lock %s: a reset has just ended\nhint: run it again", path), f.Close())
	}
	if err == nil {
		err = writePID(f)
	}
	if err != nil && !DiskFull(err) { // it is held, whoever can't be named
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, bare(err)), f.Close())
	}
	// The file stays, or a third process could lock a new one of that name while a second holds the old. Only a reset
	// removes it.
	return func() { _ = f.Truncate(0); _ = f.Close() }, nil
}

// is says whether the open file is the one at path.
func (h *Host) is(f *os.File, path string) bool {
	open, err := f.Stat()
	there, err2 := os.Stat(h.Path(path))
	return err == nil && err2 == nil && os.SameFile(open, there)
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func (h *Host) holder(name, path string) *Locked {
	e := &Locked{Path: path}
	data, err := os.ReadFile(name)
	if err != nil {
		return e
	}
	if e.PID, err = strconv.Atoi(strings.TrimSpace(string(data))); err != nil {
		return e
	}
	cmdline, err := os.ReadFile(h.Path(fmt.Sprintf("/proc/%d/cmdline", e.PID)))
	if err == nil {
		e.Command = verb(strings.Split(strings.TrimRight(string(cmdline), "\x00"), "\x00"))
	}
	return e
}

// verb is a command line up to its first flag.
func verb(args []string) string {
	for i, a := range args {
		if strings.HasPrefix(a, "-") {
			args = args[:i]
			break
		}
	}
	return strings.Join(args, " ")
}
