package sandbox

import (
	"os"
	"path/filepath"
	"testing"
)

// A sandbox is of the new release when its last master is; until then each master is what it is, and so it is remembered.
func TestSetRelease(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s, err := New(folder, "a", 3)
	if err != nil {
		t.Fatal(err)
	}
	older, newer := Release{"v1.35.4", "/older"}, Release{"v1.36.3", "/newer"}
	want := func(when string, releases ...Release) {
		t.Helper()
		got, err := Load(folder, "a")
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range got.Masters {
			if got.release(m) != releases[i] {
				t.Errorf("%s: %s is %v, want %v", when, m.Name, got.release(m), releases[i])
			}
		}
		if under := releases[0] != newer; under != (got.Upgrade != nil) || !under && got.BinDir != newer.BinDir {
			t.Errorf("%s: %+v", when, got)
		}
	}
	change := func(change func(*Sandbox)) {
		t.Helper()
		if err := s.Change(change); err != nil {
			t.Fatal(err)
		}
	}
	change(func(s *Sandbox) {
		s.KubernetesVersion, s.BinDir, s.Upgrade = older.KubernetesVersion, older.BinDir, &newer
	})
	want("begun", older, older, older)
	change(func(s *Sandbox) { s.SetRelease("m2", newer) })
	change(func(s *Sandbox) { s.SetRelease("m3", newer) })
	want("two are done", older, newer, newer)
	if s.BinariesOf("v1.35.4") != "/older" || s.BinariesOf("v1.36.3") != "/newer" || s.BinariesOf("v1.34.4") != "" {
		t.Errorf("binaries of both: %q, %q", s.BinariesOf("v1.35.4"), s.BinariesOf("v1.36.3"))
	}
	change(func(s *Sandbox) { s.SetRelease("m1", newer) })
	want("all are done", newer, newer, newer)
	if grown, err := s.Grown(4); err != nil || grown.release(grown.Masters[3]) != newer {
		t.Errorf("a master that comes later: %+v, %v", grown, err)
	}
	change(func(s *Sandbox) { s.SetRelease("m1", newer) })
	want("once more", newer, newer, newer)
}

// A record that knows of no upgrades is read as before.
func TestLoadEarlierRecord(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	const earlier = `{"name": "a", "created": "2026-01-02T03:04:05Z", "kubernetesVersion": "v1.35.4", "binDir": "/bin",
		"masters": [{"name": "m1", "address": "127.64.1.1"}, {"name": "m2", "address": "127.64.1.2", "stopped": true}]}`
	if err := os.WriteFile(filepath.Join(folder, "a", record), []byte(earlier), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(folder, "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range s.Masters {
		if s.release(m) != (Release{"v1.35.4", "/bin"}) || s.Upgrade != nil {
			t.Errorf("%s is %v, upgrade %v", m.Name, s.release(m), s.Upgrade)
		}
	}
}
