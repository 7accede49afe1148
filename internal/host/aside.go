package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// asideTag is in the name of a directory that keeps what was set aside.
const asideTag = ".kept-"

// AsidePath is where SetAside keeps what is in a directory, unless that is a mount point.
func AsidePath(dir, name string) string { return filepath.Clean(dir) + asideTag + name }

// SetAside moves all that is in a directory, which stays itself, into one beside it that only its owner may enter: what somebody
// may miss is kept, not removed. A directory that is a mount point keeps it within itself, as nothing is copied. It returns
// where it is kept, "" if there is nothing. One that was killed is gone on with; what was kept earlier under that name stays.
func (h *Host) SetAside(dir, name string) (kept string, err error) {
	names, err := h.asideable(dir)
	if err != nil || len(names) == 0 {
		return "", err
	}
	kept, err = h.moveAside(dir, names, AsidePath(dir, name))
	if errors.Is(err, syscall.EXDEV) {
		kept, err = h.moveAside(dir, names, filepath.Join(dir, asideTag+name))
	}
	if err != nil {
		return "", fmt.Errorf("set %s aside: %w", dir, bare(err))
	}
	return kept, nil
}

// asideable is what is in the directory and belongs there.
func (h *Host) asideable(dir string) ([]string, error) {
	names, err := h.List(dir)
	return slices.DeleteFunc(names, passedOver), err
}

// passedOver says that what has that name is not counted among what a directory holds.
func passedOver(name string) bool { return name == lostAndFound || strings.HasPrefix(name, asideTag) }

func (h *Host) moveAside(dir string, names []string, to string) (string, error) {
	to = h.free(names, to)
	if err := h.Mkdir(to, 0o700); err != nil {
		return "", err
	}
	for _, name := range names {
		if err := os.Rename(h.Path(filepath.Join(dir, name)), h.Path(filepath.Join(to, name))); err != nil {
			_ = h.Remove(to) // if it is empty
			return "", err
		}
	}
	return to, errors.Join(syncDir(h.Path(to)), syncDir(h.Path(dir)))
}

// free is the first of a row of directories that holds none of the names.
func (h *Host) free(names []string, dir string) string {
	for n := 2; ; n++ {
		at := dir
		if n > 2 {
			at += "-" + strconv.Itoa(n-1)
		}
		taken := slices.ContainsFunc(names, func(name string) bool {
			_, err := os.Lstat(h.Path(filepath.Join(at, name)))
			return err == nil
		})
		if !taken {
			return at
		}
	}
}
