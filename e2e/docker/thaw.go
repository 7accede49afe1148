package docker

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// freezer is where control groups of version 1 freeze processes. (Those of version 2 can be killed while frozen.)
const freezer = "/sys/fs/cgroup/freezer"

// Thaw thaws what was frozen in containers, given by what their labels say (name=value). The runc in a node freezes the group of a
// pod for a moment; a node that is killed in that moment never ends, as the frozen can not be killed.
func (e *Engine) Thaw(ctx context.Context, label string) error {
	ids, err := e.Run(ctx, "ps", "--quiet", "--no-trunc", "--filter", "label="+label)
	if err != nil {
		return err
	}
	return filepath.WalkDir(freezer, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // gone meanwhile, or no such hierarchy
			}
			return err
		}
		if entry.Name() != "freezer.state" || !withinAny(path, strings.Fields(ids)) {
			return nil
		}
		if state, _ := os.ReadFile(path); strings.TrimSpace(string(state)) == "THAWED" {
			return nil
		}
		return os.WriteFile(path, []byte("THAWED"), 0o644)
	})
}

func withinAny(path string, ids []string) bool {
	for _, id := range ids {
		if strings.Contains(path, id) {
			return true
		}
	}
	return false
}
