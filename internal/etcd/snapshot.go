package etcd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// snapshotName is that of our snapshots; by alphabet the oldest comes first.
var snapshotName = regexp.MustCompile(`^etcd-\d{8}T\d{6}Z\.db$`)

// Snapshot saves the member's data in the directory, which has to be there, and verifies the file: the digest that etcd has
// sent after the data, and that it is a database. etcdutl snapshot restore reads it. A file that is not whole never has its
// name. tell gets how far it is.
func (m *Member) Snapshot(ctx context.Context, dir string, at time.Time, tell func(string)) (path string, err error) {
	path = filepath.Join(dir, "etcd-"+at.UTC().Format("20060102T150405Z")+".db")
	part := filepath.Join(dir, "."+filepath.Base(path))
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("saving etcd: %w", err), os.RemoveAll(part))
		}
	}()
	stream, err := m.client.Snapshot(ctx)
	if err != nil {
		return "", err
	}
	defer stream.Close()
	if err := receive(part, stream, tell); err != nil {
		return "", err
	}
	if err := Verify(part); err != nil {
		return "", err
	}
	if err := os.Rename(part, path); err != nil {
		return "", err
	}
	return path, syncDir(dir)
}

// receive writes the stream to the disk.
func receive(path string, stream io.Reader, tell func(string)) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(&counted{Writer: f, tell: tell}, stream)
	return errors.Join(err, f.Sync(), f.Close())
}

// tellEvery is how many bytes lie between two words on how far a snapshot is.
const tellEvery = 256 << 20

// counted tells now and then how much has been written.
type counted struct {
	io.Writer
	tell func(string)
	sum  int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	before := c.sum
	c.sum += int64(n)
	if c.sum/tellEvery > before/tellEvery {
		c.tell(fmt.Sprintf("the snapshot has %d MiB", c.sum>>20))
	}
	return n, err
}

// Verify is nil if the file is a whole snapshot: its end is the SHA-256 of the rest, which is a database.
func Verify(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	data := info.Size() - sha256.Size
	if data <= 0 || data%512 != 0 { // the smallest sector; databases consist of pages
		return fmt.Errorf("the snapshot is not whole: it has %d bytes", info.Size())
	}
	digest := sha256.New()
	if _, err := io.CopyN(digest, f, data); err != nil {
		return err
	}
	want, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	if !bytes.Equal(digest.Sum(nil), want) {
		return fmt.Errorf("the snapshot is not what etcd has sent: its SHA-256 is %x, not %x", digest.Sum(nil), want)
	}
	return isDatabase(path)
}

// isDatabase opens the file as etcd would.
func isDatabase(path string) (err error) {
	defer func() {
		if broken := recover(); broken != nil { // bbolt panics on pages that make no sense
			err = fmt.Errorf("the snapshot is no database: %v", broken)
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: storeWithin})
	if err != nil {
		return fmt.Errorf("the snapshot is no database: %w", err)
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte("key")) == nil {
			return errors.New("the snapshot is no database of etcd: it has no bucket key")
		}
		return nil
	})
}

// Prune removes all of our snapshots in the directory but the newest.
func Prune(dir string, keep int) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var ours []string
	for _, e := range entries {
		if snapshotName.MatchString(e.Name()) {
			ours = append(ours, e.Name())
		}
	}
	slices.Sort(ours)
	var errs []error
	for _, name := range ours[:max(0, len(ours)-keep)] {
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
