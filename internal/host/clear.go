package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Clear removes all that is in a directory, which stays itself; one that is not there is no error. What is mounted below
// it may be somebody else's data: then nothing is removed. A disk's lost+found stays.
func (h *Host) Clear(dir string) error {
	mounts, err := h.MountsBelow(dir)
	if err != nil {
		return err
	}
	if len(mounts) > 0 {
		return fmt.Errorf("%s is mounted below %s\nhint: unmount it, if what is there may go", mounts[0], dir)
	}
	names, err := h.List(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if name == "lost+found" {
			continue
		}
		if err := os.RemoveAll(h.Path(filepath.Join(dir, name))); err != nil {
			errs = append(errs, fmt.Errorf("remove %s: %w", filepath.Join(dir, name), bare(err)))
		}
	}
	if len(names) > 0 {
		errs = append(errs, syncDir(h.Path(dir)))
	}
	return errors.Join(errs...)
}
