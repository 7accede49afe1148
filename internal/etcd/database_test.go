package etcd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"
)

// What bbolt has written is read as bbolt reads it: trees of several levels, values of several pages, inline and empty buckets.
func TestDatabase(t *testing.T) {
	t.Parallel()
	data, want := written(t)
	for _, bucket := range []string{"key", "members", "empty", "missing"} {
		got, err := contents(data, bucket)
		if err != nil || !slices.Equal(got, want[bucket]) {
			t.Errorf("%s: %d pairs and not %d, %v", bucket, len(got), len(want[bucket]), err)
		}
	}
}

// Wherever a database is cut off, that is said, and a write that was torn off in the middle of a head is not in the way.
func TestDatabaseCut(t *testing.T) {
	t.Parallel()
	data, want := written(t)
	inUse := len(data) // bbolt makes files larger than it needs
	for size := 0; size < len(data); size += 256 {
		got, err := contents(data[:size], "key")
		switch {
		case err != nil && (!errors.Is(err, errDatabase) || got != nil):
			t.Fatalf("of %d bytes: %v", size, err)
		case err == nil && !slices.Equal(got, want["key"]):
			t.Fatalf("of %d bytes: %d pairs and no error", size, len(got))
		case err == nil:
			inUse = min(inUse, size)
		}
	}
	if inUse < len(data)/4 {
		t.Errorf("%d of %d bytes are taken for the whole", inUse, len(data))
	}
	for _, head := range []int{0, os.Getpagesize()} {
		torn := slices.Clone(data)
		clear(torn[head+20 : head+60])
		if _, err := contents(torn, "members"); err != nil {
			t.Errorf("with a torn head at %d: %v", head, err)
		}
	}
}

// Whatever bytes are flipped, the reader ends, with an error or without, and stays within the file.
func TestDatabaseFlipped(t *testing.T) {
	t.Parallel()
	data, _ := written(t)
	for at := range data {
		// Of what is no number of bbolt's, a sample is enough.
		if at%os.Getpagesize() > 64 && at%211 != 0 {
			continue
		}
		for _, bits := range []byte{1, 0xff} {
			data[at] ^= bits
			for _, bucket := range []string{"members", "key"} {
				if err := scan(data, bucket, func(_, _ []byte) error { return nil }); err != nil && !errors.Is(err, errDatabase) {
					t.Fatalf("byte %d: %v", at, err)
				}
			}
			data[at] ^= bits
		}
	}
}

// Pages that lead to themselves are found out.
func TestDatabaseCircle(t *testing.T) {
	t.Parallel()
	data, _ := written(t)
	page, found := os.Getpagesize(), 0
	for number := 2; number < len(data)/page; number++ {
		own := data[number*page:]
		if binary.NativeEndian.Uint16(own[8:]) != branchPage || binary.NativeEndian.Uint64(own) != uint64(number) {
			continue
		}
		found++
		for i := range int(binary.NativeEndian.Uint16(own[10:])) {
			binary.NativeEndian.PutUint64(own[pageHeader+i*16+8:], uint64(number))
		}
	}
	_, err := contents(data, "key")
	if found == 0 || !errors.Is(err, errDatabase) {
		t.Errorf("%d branches: %v", found, err)
	}
}

// Whatever lies in the place of a database is an error that names it, and nothing is waited for.
func TestStoredDamaged(t *testing.T) {
	t.Parallel()
	data, _ := written(t)
	dir := t.TempDir()
	path := databasePath(dir)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func() error{
		"cut":       func() error { return os.WriteFile(path, data[:64<<10], 0o600) },
		"empty":     func() error { return os.WriteFile(path, nil, 0o600) },
		"text":      func() error { return os.WriteFile(path, bytes.Repeat([]byte("etcd"), 1<<14), 0o600) },
		"directory": func() error { return os.Mkdir(path, 0o700) },
		"pipe":      func() error { return syscall.Mkfifo(path, 0o600) },
	} {
		if err := errors.Join(os.RemoveAll(path), make()); err != nil {
			t.Fatal(name, err)
		}
		members, err := Stored(dir)
		mentions(t, err, path)
		if !errors.Is(err, errDatabase) || members != nil {
			t.Errorf("%s: %v, %v", name, members, err)
		}
	}
}

// written is a database as bbolt writes it, and what bbolt reads in it.
func written(t *testing.T) (data []byte, want map[string][]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 6 {
		err = errors.Join(err, db.Update(func(tx *bbolt.Tx) error { return grow(tx, n) }))
	}
	want = map[string][]string{}
	err = errors.Join(err, db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error { want[string(name)] = append(want[string(name)], pairText(k, v)); return nil })
		})
	}), db.Close())
	if err != nil {
		t.Fatal(err)
	}
	if data, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return data, want
}

func grow(tx *bbolt.Tx, n int) error {
	var errs []error
	for _, name := range []string{"key", "members", "empty"} {
		_, err := tx.CreateBucketIfNotExists([]byte(name))
		errs = append(errs, err)
	}
	for i := range 12 {
		errs = append(errs, tx.Bucket([]byte("key")).Put(fmt.Appendf(nil, "%d-%d", n, i), bytes.Repeat([]byte{byte(i)}, 400)))
	}
	long := bytes.Repeat([]byte("long"), 1500)
	return errors.Join(append(errs, tx.Bucket([]byte("key")).Put(fmt.Appendf(nil, "long %d", n), long),
		tx.Bucket([]byte("members")).Put([]byte("1"), []byte(`{"id":1,"name":"a"}`)))...)
}

func pairText(key, value []byte) string { return fmt.Sprintf("%s=%x", key, value) }

// contents is what our own reader finds in a bucket; nil if it fails.
func contents(data []byte, bucket string) (pairs []string, err error) {
	err = scan(data, bucket, func(k, v []byte) error { pairs = append(pairs, pairText(k, v)); return nil })
	if err != nil {
		return nil, err
	}
	return pairs, nil
}

func scan(data []byte, bucket string, visit func(key, value []byte) error) error {
	db, err := newDatabase(bytes.NewReader(data), int64(len(data)))
	if err == nil {
		_, err = db.bucket(bucket, visit)
	}
	return err
}
