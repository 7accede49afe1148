package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// lostAndFound is what a disk of its own brings, and fsck needs.
const lostAndFound = "lost+found"

// Clear removes all that is in a directory, which stays itself; one that is not there is no error, and a link at its
// place is followed. What is mounted below it may be somebody else's data: then nothing is removed, and what is mounted
// only meanwhile is left and named. Links below are removed, not followed. A disk's lost+found stays,
// and so does what SetAside keeps there.
func (h *Host) Clear(dir string) error {
	if err := h.Unmounted(dir); err != nil {
		return err
	}
	d, err := os.Open(h.Path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("clear %s: %w", dir, bare(err))
	}
	defer d.Close()
	return errors.Join(clearOpen(d, dir, passedOver), d.Sync())
}

// Delete clears a directory and removes it. One that Clear has to leave something in stays, and so does a mount point.
func (h *Host) Delete(dir string) error {
	if err := h.Clear(dir); err != nil {
		return err
	}
	err := h.Remove(dir)
	if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EBUSY) {
		return nil
	}
	return err
}

// Unmounted is an error if something is mounted below the directory, so that it can't be cleared.
func (h *Host) Unmounted(dir string) error {
	mounts, err := h.MountsBelow(dir)
	if err == nil && len(mounts) > 0 {
		err = fmt.Errorf("%s is mounted below %s\nhint: unmount it, if what is there may go", mounts[0], dir)
	}
	return err
}

// clearOpen removes what is in an open directory, known as path, but for some names.
func clearOpen(d *os.File, path string, keep func(name string) bool) error {
	names, err := d.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("clear %s: %w", path, bare(err))
	}
	var errs []error
	for _, name := range names {
		if !keep(name) {
			errs = append(errs, removeIn(d, filepath.Join(path, name)))
		}
	}
	return errors.Join(errs...)
}

// removeIn removes a file, or a directory with all that is in it, from the open directory that it is in.
func removeIn(d *os.File, path string) error {
	name := filepath.Base(path)
	err := unix.Unlinkat(int(d.Fd()), name, 0)
	if errors.Is(err, unix.EISDIR) {
		if err := clearIn(d, path); err != nil {
			return err
		}
		err = unix.Unlinkat(int(d.Fd()), name, unix.AT_REMOVEDIR)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}

// clearIn clears a directory of an open one, unless it is another file system's.
func clearIn(d *os.File, path string) error {
	fd, err := openDir(int(d.Fd()), filepath.Base(path))
	if errors.Is(err, unix.EXDEV) {
		return fmt.Errorf("%s is mounted there, and was left\nhint: unmount it, if what is there may go", path)
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	inner := os.NewFile(uintptr(fd), path)
	defer inner.Close()
	return clearOpen(inner, path, func(string) bool { return false })
}

// openDir opens a directory of an open one: no link, and EXDEV if something is mounted there. Kernels before 5.6, and
// filters of system calls that don't know the one for that, tell only mounts of other file systems.
func openDir(in int, name string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	how := &unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_NO_XDEV | unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(in, name, how)
	if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM) {
		return fd, err
	}
	if fd, err = unix.Openat(in, name, flags, 0); err != nil {
		return fd, err
	}
	var outer, inner unix.Stat_t
	err = errors.Join(unix.Fstat(in, &outer), unix.Fstat(fd, &inner))
	if err == nil && outer.Dev != inner.Dev {
		err = unix.EXDEV
	}
	if err != nil {
		_ = unix.Close(fd)
	}
	return fd, err
}
