package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Host is the file system of one machine, or a directory that stands for it.
type Host struct {
	// root is joined in front of every path. Paths are joined plainly and not opened
	// through an os.Root, because that refuses absolute symlinks, and people do put
	// /var/lib/etcd on another disk by such a link.
	root string
}

// Open is the machine whose file system begins at root: "/" for this one.
func Open(root string) *Host { return &Host{root: filepath.Clean(root)} }

// File is a file, or a symlink, as it is or as it is to be.
type File struct {
	// Path is absolute as on the machine, without the Host's root.
	Path string
	// Mode is the permission bits, and fs.ModeDir for a directory; of no meaning for a symlink.
	Mode fs.FileMode
	// Data is the content; of a symlink that was read, the content of what it points at.
	Data []byte
	// Link is the target of a symlink, "" for a file.
	Link string
}

// Path is where the logical path lies for this process.
func (h *Host) Path(path string) string { return filepath.Join(h.root, path) }

// Read reads a file or a symlink with what it points at. It is false, without an error,
// if nothing lies there. A symlink to nowhere is read without Data, and so is a directory.
func (h *Host) Read(path string) (File, bool, error) {
	info, err := os.Lstat(h.Path(path))
	if errors.Is(err, fs.ErrNotExist) || isNotDir(err) {
		return File{}, false, nil
	}
	if err != nil {
		return File{}, false, fmt.Errorf("read %s: %w", path, bare(err))
	}
	f := File{Path: path, Mode: info.Mode() & (fs.ModePerm | fs.ModeDir)}
	if info.Mode()&fs.ModeSymlink == 0 {
		f.Data, err = h.content(path)
	} else if f.Link, err = os.Readlink(h.Path(path)); err == nil {
		f.Data, err = h.content(linkTarget(path, f.Link))
	}
	if f.Link != "" && errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return File{}, false, fmt.Errorf("read %s: %w", path, bare(err))
	}
	return f, true, nil
}

// content is that of a file, nothing for a directory.
func (h *Host) content(path string) ([]byte, error) {
	data, err := os.ReadFile(h.Path(path))
	if errors.Is(err, syscall.EISDIR) {
		return nil, nil
	}
	return data, err
}

// linkTarget is where the symlink at path leads, as a logical path.
func linkTarget(path, link string) string {
	if filepath.IsAbs(link) {
		return link
	}
	return filepath.Join(filepath.Dir(path), link)
}

// List is the sorted names in a directory, none if it does not exist.
func (h *Host) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(h.Path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, bare(err))
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// Mkdir makes a directory and those above it that are missing, all of that mode. One that
// is there already, or a symlink to one, is left as it is.
func (h *Host) Mkdir(path string, mode fs.FileMode) error {
	full := h.Path(path)
	if info, err := os.Stat(full); err == nil && info.IsDir() {
		return nil
	}
	above := h.ancestor(path)
	if err := os.MkdirAll(full, mode); err != nil {
		return fmt.Errorf("make %s: %w", path, explain(err, path))
	}
	for made := full; made != above; made = filepath.Dir(made) {
		// The umask has had its say in MkdirAll.
		if err := os.Chmod(made, mode); err != nil {
			return fmt.Errorf("make %s: %w", path, bare(err))
		}
		if err := syncDir(filepath.Dir(made)); err != nil {
			return err
		}
	}
	return nil
}

// Narrow takes the rights away that a directory gives beyond the mode.
func (h *Host) Narrow(path string, mode fs.FileMode) error {
	info, err := os.Stat(h.Path(path))
	if err == nil {
		err = os.Chmod(h.Path(path), info.Mode()&mode)
	}
	if err != nil {
		return fmt.Errorf("narrow %s: %w", path, bare(err))
	}
	return nil
}

// Remove removes a file or an empty directory; one that is not there is no error.
func (h *Host) Remove(path string) error {
	err := os.Remove(h.Path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", path, bare(err))
	}
	return syncDir(filepath.Dir(h.Path(path)))
}

// Sweep removes the files that killed commits left staged in the directories. It must not
// run beside a Commit, and comes after the plan is carried out: ReadPair still needs some of them.
func (h *Host) Sweep(dirs ...string) error {
	staged, err := h.Staged(dirs...)
	for _, path := range staged {
		err = errors.Join(err, h.Remove(path))
	}
	return err
}

// Staged are the files that killed commits left staged in the directories.
func (h *Host) Staged(dirs ...string) ([]string, error) {
	var staged []string
	var errs []error
	for _, dir := range dirs {
		names, err := h.List(dir)
		errs = append(errs, err)
		for _, name := range slices.DeleteFunc(names, func(n string) bool { return !isStaged(n) }) {
			staged = append(staged, filepath.Join(dir, name))
		}
	}
	return staged, errors.Join(errs...)
}

const stagedSuffix = ".tripod"

// stagedName is the name under which a file waits for its rename, in its own directory.
// The kubelet passes over names that begin with a dot (pkg/kubelet/config/file.go).
func stagedName(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+stagedSuffix)
}

func isStaged(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(name, stagedSuffix)
}

// Exists says whether something lies at path that can be seen from here.
func (h *Host) Exists(path string) bool {
	_, err := os.Stat(h.Path(path))
	return err == nil
}

// syncDir makes the names in a directory survive a loss of power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}
