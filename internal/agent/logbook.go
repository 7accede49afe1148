package agent

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tripod.dev/tripod/internal/host"
)

const (
	keptLogs   = 5        // files of one container
	keptBytes  = 10 << 20 // of each that has ended
	tailLines  = 20
	tailBytes  = 64 << 10 // read for those lines at most
	hashFile   = "manifest"
	retiredTag = ".previous"
)

// logbook holds the logs of one pod's container: DIR/CONTAINER/RESTART.log. The logs of the last other
// manifest of that pod lie in DIR.previous.
type logbook struct {
	dir       string
	container string
}

// openLogbook opens the logs of the pod; those of another manifest are put aside. next is the number of the next restart,
// which survives the agent, as the kubelet counts the logs where it can not ask the runtime.
func openLogbook(state string, p pod) (book logbook, next int, err error) {
	book = logbook{logDir(state, p), p.Container}
	hash, err := os.ReadFile(filepath.Join(book.dir, hashFile))
	if err != nil || string(hash) != p.Hash {
		if err := book.renew(p.Hash); err != nil {
			return book, 0, fmt.Errorf("open logs: %w", err)
		}
	}
	for _, number := range book.numbers() {
		next = max(next, number+1)
	}
	return book, next, nil
}

func logDir(state string, p pod) string {
	return filepath.Join(state, "logs", p.Namespace+"_"+p.Name)
}

func (b logbook) renew(hash string) error {
	if err := b.retire(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(b.dir, b.container), 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.dir, hashFile), []byte(hash), 0o600)
}

// retire puts the logs aside in place of those that were put aside before.
func (b logbook) retire() error {
	if _, err := os.Stat(b.dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := host.Open("/").Delete(b.dir + retiredTag); err != nil {
		return err
	}
	return os.Rename(b.dir, b.dir+retiredTag)
}

// file is the log of the container's start after so many restarts.
func (b logbook) file(restart int) string {
	return filepath.Join(b.dir, b.container, strconv.Itoa(restart)+".log")
}

// numbers are the restarts that have a log, ascending.
func (b logbook) numbers() []int {
	names, _ := filepath.Glob(filepath.Join(b.dir, b.container, "*.log"))
	var numbers []int
	for _, name := range names {
		if n, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(name), ".log")); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.SortFunc(numbers, cmp.Compare[int])
	return numbers
}

// trim makes room for one more log: old ones go, large ones keep their last part. Nothing writes to
// them any more.
func (b logbook) trim() error {
	numbers := b.numbers()
	surplus := max(0, len(numbers)-(keptLogs-1))
	var errs []error
	for _, n := range numbers[:surplus] {
		_ = os.Remove(pidFile(b.file(n))) // need not be there
		errs = append(errs, os.Remove(b.file(n)))
	}
	for _, n := range numbers[surplus:] {
		errs = append(errs, cut(b.file(n), keptBytes))
	}
	return errors.Join(errs...)
}

// cut drops all but the file's last size bytes.
func cut(path string, size int64) error {
	data, whole, err := readEnd(path, size)
	if err != nil || whole {
		return err
	}
	// ".cut" is no log's name, so a crash in between does no harm.
	if err := os.WriteFile(path+".cut", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".cut", path)
}

// readEnd reads the file's last size bytes; whole is true if that is all of it.
func readEnd(path string, size int64) (data []byte, whole bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	from := max(0, info.Size()-size)
	data, err = io.ReadAll(io.NewSectionReader(f, from, size))
	return data, from == 0, err
}

// tail is the last lines of a log, none if it can not be read. Blank ones do not count: etcd's usage, which it
// prints below what is wrong with a flag, is mostly those.
func tail(path string) []string {
	data, _, err := readEnd(path, tailBytes)
	if err != nil || len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	lines := slices.DeleteFunc(strings.Split(string(data), "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
	return lines[max(0, len(lines)-tailLines):]
}
