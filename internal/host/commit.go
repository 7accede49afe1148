package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// Commit writes a set of files so that a crash leaves each of them either old or new. All
// are first staged beside their places, whole and on disk; only then are they renamed, in
// the order given. A failure or a cancelled context before the first rename leaves nothing
// behind. The directories have to be there.
//
// A symlink at a file's place is replaced, not followed: what it points at may be somebody
// else's. Give a key before its certificate: ReadPair counts on that order.
func (h *Host) Commit(ctx context.Context, files ...File) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := h.stageAll(files); err != nil {
		return err
	}
	Killpoint("staged")
	if err := h.rename(files); err != nil {
		return err
	}
	err := h.syncDirs(files)
	Killpoint("committed")
	return err
}

// Stage writes the files beside their places, so that a Commit of the same that follows needs no more room, and no more
// than renames. A failure leaves nothing behind. The directories have to be there.
func (h *Host) Stage(files ...File) error { return h.stageAll(files) }

// stageAll stages the files side by side: the file system syncs many together nearly as fast as one.
func (h *Host) stageAll(files []File) error {
	made, errs := make([]bool, len(files)), make([]error, len(files))
	var all sync.WaitGroup
	for i, f := range files {
		all.Go(func() {
			var err error
			if made[i], err = h.stage(f); err != nil {
				errs[i] = fmt.Errorf("write %s: %w", f.Path, explain(err, f.Path))
			}
		})
	}
	all.Wait()
	failed := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if failed < 0 {
		return nil
	}
	var mine []File
	for i, f := range files {
		if made[i] {
			mine = append(mine, f)
		}
	}
	return errors.Join(errs[failed], h.unstage(mine))
}

// rename puts staged files in their places. From here on nothing stops on a cancelled
// context, and what an error leaves staged stays: a certificate whose key is in place
// already is found by ReadPair.
func (h *Host) rename(files []File) error {
	for _, f := range files {
		if err := os.Rename(h.Path(stagedName(f.Path)), h.Path(f.Path)); err != nil {
			return fmt.Errorf("write %s: %w", f.Path, bare(err))
		}
		Killpoint("renamed " + f.Path)
	}
	return nil
}

// stage writes f beside its place; made says that something lies there now that has to go if the set fails.
// What an earlier, killed commit staged with the same content is kept, whatever happens: it may be the
// only copy of the certificate of a key that is in place.
func (h *Host) stage(f File) (made bool, err error) {
	name := h.Path(stagedName(f.Path))
	if f.Link == "" && sameFile(name, f) {
		return false, syncFile(name)
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if f.Link != "" {
		return true, os.Symlink(f.Link, name)
	}
	// Exclusive: whoever put a link there in between must not choose where we write.
	// 0600 until it is whole: the mode asked for may be wider.
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false, err
	}
	_, err = out.Write(f.Data)
	return true, errors.Join(err, out.Chmod(f.Mode), out.Sync(), out.Close())
}

func sameFile(name string, f File) bool {
	info, err := os.Lstat(name)
	if err != nil || info.Mode() != f.Mode.Perm() {
		return false
	}
	data, err := os.ReadFile(name)
	return err == nil && bytes.Equal(data, f.Data)
}

func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (h *Host) unstage(files []File) error {
	var errs []error
	for _, f := range files {
		if err := os.Remove(h.Path(stagedName(f.Path))); err != nil && !errors.Is(err, fs.ErrNotExist) && !isNotDir(err) {
			errs = append(errs, fmt.Errorf("remove what was staged: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (h *Host) syncDirs(files []File) error {
	var dirs []string
	for _, f := range files {
		if dir := filepath.Dir(h.Path(f.Path)); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	var errs []error
	for _, dir := range dirs {
		errs = append(errs, syncDir(dir))
	}
	return errors.Join(errs...)
}

// explain adds what to do to an error that its reader can do something about.
func explain(err error, path string) error {
	dir := filepath.Dir(path)
	switch {
	case DiskFull(err):
		return fmt.Errorf("%w\nhint: nothing was written; make room on the disk of %s and run again", bare(err), dir)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w\nhint: the directory %s is missing", bare(err), dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w\nhint: run as root, or as a user who may write to %s", bare(err), dir)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w\nhint: %s is mounted read-only", bare(err), dir)
	}
	return bare(err)
}

// DiskFull says that there was no room for what was to be written.
func DiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// bare takes the path off an error of package os: staged names mean nothing to a reader,
// and the message names the file already.
func bare(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

func isNotDir(err error) bool { return errors.Is(err, syscall.ENOTDIR) }
