package etcd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
)

// Verify is nil if the file is a whole snapshot: its end is the SHA-256 of the rest, which is a database. It reads all of it.
func Verify(ctx context.Context, path string) error {
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
	if _, err := io.CopyN(digest, untilDone{ctx, f}, data); err != nil {
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
func isDatabase(path string) error {
	return readDatabase(path, func(db database) error {
		exists, err := db.holds("key")
		if err == nil && !exists {
			err = errors.New("the snapshot is no database of etcd: it has no bucket key")
		}
		return err
	})
}

// untilDone reads until ctx ends.
type untilDone struct {
	ctx context.Context
	io.Reader
}

func (r untilDone) Read(into []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(into)
}
