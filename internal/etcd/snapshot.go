package etcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// snapshotName is that of our snapshots; by alphabet the oldest comes first.
var snapshotName = regexp.MustCompile(`^etcd-\d{8}T\d{6}Z\.db$`)

// Snapshot saves the member's data in the directory, which has to be there, and verifies the file (0600): the digest that
// etcd has sent after the data, and that it is a database. etcdutl snapshot restore reads it. A file that is not whole never
// has its name; one that a kill has left is hidden, and Prune removes it. tell gets how far it is.
func (m *Member) Snapshot(ctx context.Context, dir string, at time.Time, tell func(string)) (path string, err error) {
	path = filepath.Join(dir, "etcd-"+at.UTC().Format("20060102T150405Z")+".db")
	part := filepath.Join(dir, "."+filepath.Base(path))
	defer func() {
		if err != nil {
			_ = os.Remove(part) // it need not be there; Prune removes one that stays
			err = fmt.Errorf("saving etcd: %w", err)
		}
	}()
	status, err := m.Status(ctx)
	if err != nil {
		return "", err
	}
	d := download{open: m.client.Snapshot, total: status.DbSize, tell: tell}
	if err := d.into(ctx, part); err != nil {
		return "", err
	}
	if err := Verify(ctx, part); err != nil {
		return "", err
	}
	if err := os.Rename(part, path); err != nil {
		return "", err
	}
	return path, syncDir(dir)
}

const (
	// stallAfter is how long no byte of a snapshot may come. etcd begins at once, whatever the size.
	stallAfter = 30 * time.Second
	// tellEvery is how often a snapshot tells how far it is.
	tellEvery = time.Second
)

// download is one stream on its way into a file.
type download struct {
	open func(context.Context) (io.ReadCloser, error)
	// total is how many bytes are expected, about.
	total int64
	tell  func(progress string)

	done   int64
	told   time.Time
	silent *time.Timer // ends the stream
}

// into writes the stream to the file, and that to the disk.
func (d *download) into(ctx context.Context, path string) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	d.silent = time.AfterFunc(stallAfter, func() {
		end(fmt.Errorf("the member has sent nothing for %s", stallAfter))
	})
	defer d.silent.Stop()
	stream, err := d.open(ctx)
	if err != nil {
		return because(ctx, err)
	}
	defer stream.Close()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.MultiWriter(file, d), stream); err != nil {
		_ = file.Close() // it is thrown away
		return fmt.Errorf("after %s: %w", mib(d.done), because(ctx, err))
	}
	return errors.Join(file.Sync(), file.Close())
}

// Write counts what has come.
func (d *download) Write(data []byte) (int, error) {
	d.silent.Reset(stallAfter)
	d.done += int64(len(data))
	if time.Since(d.told) >= tellEvery {
		d.told = time.Now()
		d.tell(fmt.Sprintf("%s of %s", mib(d.done), mib(d.total)))
	}
	return len(data), nil
}

// because is why ctx has ended, if it has, and not what that led to.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// mib is a number of bytes in the unit that people count disks in.
func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

// Prune removes all of our snapshots in the directory but the newest, and what killed runs have left. No other may be taking
// one there meanwhile.
func Prune(dir string, keep int) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var ours, gone []string
	for _, e := range entries {
		hidden, isHidden := strings.CutPrefix(e.Name(), ".")
		switch {
		case snapshotName.MatchString(e.Name()):
			ours = append(ours, e.Name())
		case isHidden && snapshotName.MatchString(hidden):
			gone = append(gone, e.Name())
		}
	}
	slices.Sort(ours)
	var errs []error
	for _, name := range append(gone, ours[:max(0, len(ours)-keep)]...) {
		errs = append(errs, os.Remove(filepath.Join(dir, name)))
	}
	return errors.Join(errs...)
}

// roomSpare is what a snapshot leaves free: etcd goes on writing meanwhile.
const roomSpare = 64 << 20

// Room is nil if a snapshot of a database of that size has room where that many bytes are free.
func Room(database int64, free uint64) error {
	if need := uint64(database) + roomSpare; free < need {
		return fmt.Errorf("%d MiB are free, %d are needed\nhint: make room on that disk", free>>20, need>>20)
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
