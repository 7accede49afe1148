package etcd

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What was saved can be restored by etcd's own tool, and what was changed afterwards, or is not whole, is found out.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	member := start(t).dialed(t)
	if _, err := member.client.Put(t.Context(), "k", "kept"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, err := member.Snapshot(t.Context(), dir, time.Now(), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	restore := exec.Command(component(t, "etcdutl"), "snapshot", "restore", path, "--data-dir", filepath.Join(dir, "restored"))
	if out, err := restore.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := append([]byte{}, data...)
	changed[len(changed)/2] ^= 1
	for what, broken := range map[string][]byte{"is not what etcd has sent": changed, "is not whole": data[:len(data)-100]} {
		file := filepath.Join(dir, "broken")
		if err := os.WriteFile(file, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Verify(file); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v, want one that %s", err, what)
		}
	}
}

// A snapshot that is interrupted leaves nothing behind.
func TestSnapshotInterrupted(t *testing.T) {
	t.Parallel()
	member := start(t).dialed(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	dir := t.TempDir()
	if path, err := member.Snapshot(ctx, dir, time.Now(), func(string) {}); err == nil {
		t.Errorf("saved %s", path)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"etcd-20261101T000000Z.db", "etcd-20261103T000000Z.db", "etcd-20261102T000000Z.db", "mine.db"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Prune(dir, 2); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(left) != 3 || filepath.Base(left[0]) != "etcd-20261102T000000Z.db" {
		t.Errorf("left %v", left)
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
