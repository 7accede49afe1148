package etcd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// What was saved is whole by the word of etcd's own tool, and makes a member that has all keys.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	s, dir := start(t), t.TempDir()
	m := s.dialed(t)
	m.fill(t, 40)
	var told []string
	path, err := m.Snapshot(t.Context(), dir, time.Now(), func(progress string) { told = append(told, progress) })
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 || len(files(t, dir)) != 1 || !snapshotName.MatchString(files(t, dir)[0]) {
		t.Errorf("%v, there are %v", err, files(t, dir))
	}
	if len(told) == 0 || !strings.Contains(told[0], " MiB of ") {
		t.Errorf("told %q", told)
	}
	var status struct {
		TotalKey int `json:"totalKey"`
	}
	if err := json.Unmarshal(etcdutl(t, "snapshot", "status", path, "--write-out=json"), &status); err != nil || status.TotalKey < 40 {
		t.Errorf("etcdutl: %+v, %v", status, err)
	}
	s.restored(t, path).holds(t, 40)
}

// restored is a member that begins with a snapshot.
func (s *server) restored(t *testing.T, snapshot string) *server {
	t.Helper()
	r := &server{dir: s.dir, client: freeURL(t), peer: freeURL(t), pki: s.pki, data: filepath.Join(t.TempDir(), "data")}
	r.args = []string{"--name=a", "--initial-cluster=a=" + r.peer}
	etcdutl(t, append([]string{"snapshot", "restore", snapshot, "--data-dir=" + r.data, "--initial-advertise-peer-urls=" + r.peer}, r.args...)...)
	r.run(t)
	return r
}

func (s *server) holds(t *testing.T, keys int) {
	t.Helper()
	m := s.dialed(t)
	if got, err := m.client.Get(t.Context(), "/k", clientv3.WithPrefix()); err != nil || len(got.Kvs) != keys {
		t.Errorf("%d keys, %v", len(got.Kvs), err)
	}
}

// A snapshot that is broken off leaves nothing.
func TestSnapshotBrokenOff(t *testing.T) {
	t.Parallel()
	s, dir := start(t), t.TempDir()
	m := s.dialed(t)
	m.fill(t, 20)
	ctx, stop := context.WithCancel(t.Context())
	_, err := m.Snapshot(ctx, dir, time.Now(), func(string) { stop() })
	if !errors.Is(err, context.Canceled) || len(files(t, dir)) > 0 {
		t.Errorf("cancelled: %v, there are %v", err, files(t, dir))
	}
	if _, err := m.Snapshot(t.Context(), filepath.Join(dir, "missing"), time.Now(), func(string) {}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("where no directory is: %v", err)
	}
	if err := s.process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Snapshot(t.Context(), dir, time.Now(), func(string) {}); err == nil || len(files(t, dir)) > 0 {
		t.Errorf("of a dead member: %v, there are %v", err, files(t, dir))
	}
}

// A member that sends no more is not waited for without end, and the reason is told.
func TestSnapshotStalls(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "part")
	synctest.Test(t, func(t *testing.T) {
		d := download{total: 2 << 20, tell: func(string) {}, open: func(ctx context.Context) (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)), hanging{ctx})), nil
		}}
		mentions(t, d.into(t.Context(), path), "after 1.0 MiB: the member has sent nothing for 30s")
	})
}

// hanging sends nothing until ctx ends.
type hanging struct{ ctx context.Context }

func (h hanging) Read([]byte) (int, error) {
	<-h.ctx.Done()
	return 0, h.ctx.Err()
}

// Every damage is found.
func TestVerify(t *testing.T) {
	t.Parallel()
	s := start(t)
	m := s.dialed(t)
	m.fill(t, 4)
	path, err := m.Snapshot(t.Context(), t.TempDir(), time.Now(), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	for want, data := range map[string][]byte{
		"is not what etcd has sent":           flipped,
		"is not what etcd has sent: its":      append(bytes.Clone(whole[:len(whole)-4096-32]), whole[len(whole)-32:]...),
		"is not whole":                        whole[:len(whole)/2+1],
		"is not whole: it has 0 bytes":        {},
		"is not whole: it has ":               whole[:len(whole)-32],
		"the database is damaged":             digested(make([]byte, 1<<16)),
		"the snapshot is no database of etcd": digested(foreign(t)),
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		mentions(t, Verify(t.Context(), path), want)
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"etcd-20261101T000000Z.db", "etcd-20261103T000000Z.db", "etcd-20261102T000000Z.db", ".etcd-20261102T000000Z.db", "mine.db", ".mine.db"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Prune(dir, 2); err != nil {
		t.Fatal(err)
	}
	if left := strings.Join(files(t, dir), " "); left != ".mine.db etcd-20261102T000000Z.db etcd-20261103T000000Z.db mine.db" {
		t.Errorf("left %s", left)
	}
}

func TestRoom(t *testing.T) {
	t.Parallel()
	if err := Room(100<<20, 200<<20); err != nil {
		t.Error(err)
	}
	if err := Room(100<<20, 110<<20); err == nil || !strings.Contains(err.Error(), "110 MiB are free, 164 are needed") {
		t.Errorf("got %v", err)
	}
}

// fill writes so many keys of 64 KiB.
func (m *Member) fill(t *testing.T, keys int) {
	t.Helper()
	for i := range keys {
		if _, err := m.client.Put(t.Context(), fmt.Sprintf("/k%d", i), strings.Repeat("v", 64<<10)); err != nil {
			t.Fatal(err)
		}
	}
}

// files are the names in a directory, by alphabet.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// etcdutl runs etcd's own tool, and is its output.
func etcdutl(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), component(t, "etcdutl"), args...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("etcdutl %v: %v", args, err)
	}
	return out
}

// digested is data with a digest that is right.
func digested(data []byte) []byte {
	digest := sha256.Sum256(data)
	return append(data, digest[:]...)
}

// foreign is a database that etcd has not made.
func foreign(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
