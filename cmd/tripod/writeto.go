package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

// writeFiles puts the plan's files below the directory. They hold keys: the directory is made for its owner alone, and one that
// is there already, as somebody else may have prepared it, does not lead out of itself.
func writeFiles(dir string, steps []phases.Step) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, step := range steps {
		for _, c := range step.Changes {
			for _, f := range c.Files {
				if err := writeBelow(root, f); err != nil {
					return fmt.Errorf("write %s below %s: %w\nhint: --write-to takes a new or an empty directory", f.Path, dir, err)
				}
			}
		}
	}
	return nil
}

// writeBelow writes one file in place of whatever is there.
func writeBelow(root *os.Root, f host.File) error {
	name := strings.TrimPrefix(filepath.Clean(f.Path), "/")
	if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if f.Link != "" {
		return root.Symlink(f.Link, name)
	}
	// Exclusive: whoever has put a link there in between must not choose where it is written.
	out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = out.Write(f.Data)
	return errors.Join(err, out.Chmod(f.Mode), out.Close())
}
