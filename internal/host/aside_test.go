package host

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// What is set aside is kept beside the directory for its owner alone; what was kept earlier stays, and a run that was killed is gone on with.
func TestSetAside(t *testing.T) {
	t.Parallel()
	h := lay(t, map[string]string{"/d/a/x": "1", "/d/b": "2", "/d/lost+found/y": "3", "/proc/self/mountinfo": ""})
	for _, want := range []struct {
		kept  string
		names []string
	}{
		{"/d.kept-1", []string{"a", "b"}},
		{"", []string{"a", "b"}},
		{"/d.kept-1", []string{"a", "b", "c"}}, // as after a run that was killed before c
		{"/d.kept-1-2", []string{"a"}},
	} {
		kept, err := h.SetAside("/d", "1")
		if err != nil || kept != want.kept {
			t.Fatalf("kept in %q, %v, want %q", kept, err, want.kept)
		}
		if kept == "" {
			layOver(t, h, "/d/c", "4")
			continue
		}
		names, err := h.List(kept)
		info, bad := os.Stat(h.Path(kept))
		if err != nil || bad != nil || !slices.Equal(names, want.names) || info.Mode().Perm() != 0o700 {
			t.Errorf("%s has %v, %v, mode %v", kept, names, err, info.Mode())
		}
		if slices.Contains(names, "c") {
			layOver(t, h, "/d/a/x", "5")
		}
	}
	if names, err := h.List("/d"); err != nil || !slices.Equal(names, []string{"lost+found"}) {
		t.Errorf("left are %v, %v", names, err)
	}
}

// A mount point keeps within itself what is set aside, where neither the survey counts it, nor Clear removes it.
func TestSetAsideOnDisk(t *testing.T) {
	t.Parallel()
	h := lay(t, map[string]string{"/d/x": "", "/proc/self/mountinfo": ""})
	disk := h.Path("/d")
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("it takes the right to mount: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	layOver(t, h, "/d/member/db", "1")
	kept, err := h.SetAside("/d", "1")
	if err != nil || kept != "/d/.kept-1" {
		t.Fatal(kept, err)
	}
	if d, err := h.dir("/d"); err != nil || d.Entries != 0 {
		t.Errorf("%d entries, %v", d.Entries, err)
	}
	if again, err := h.SetAside("/d", "1"); err != nil || again != "" {
		t.Errorf("again: %q, %v", again, err)
	}
	if err := h.Clear("/d"); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(filepath.Join(disk, ".kept-1/member/db")); err != nil || string(data) != "1" {
		t.Errorf("%s, %v", data, err)
	}
	if names, err := h.List("/"); err != nil || slices.Contains(names, "d.kept-1") {
		t.Errorf("beside it are %v, %v", names, err)
	}
}
