package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// bind mounts a directory with a file at a place that it makes, and returns the file.
func bind(t *testing.T, at string) (precious string) {
	t.Helper()
	other := t.TempDir()
	precious = filepath.Join(other, "backup.db")
	if err := os.WriteFile(precious, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(other, at, "", unix.MS_BIND, ""); err != nil {
		t.Skip("it takes the right to mount: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
	return precious
}

// What is mounted below stays, also where it is mounted after Clear has looked: a mount of the same file system, too.
func TestClearLeavesMounts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ root, dir, want string }{
		"seen before": {"/", "", "is mounted below"},
		"seen late":   {"", "/d", "/d/a/mnt is mounted there, and was left"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			h := layOver(t, layOver(t, Open(root), "/proc/self/mountinfo", ""), "/d/a/b/c", "1")
			precious := bind(t, filepath.Join(root, "d/a/mnt"))
			dir := test.dir
			if test.root != "" {
				h, dir = Open(test.root), filepath.Join(root, "d")
			}
			if err := h.Clear(dir); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if _, err := os.Stat(precious); err != nil {
				t.Error(err)
			}
			_, err := os.Stat(filepath.Join(root, "d/a/b/c"))
			if seen := test.root != ""; seen != (err == nil) {
				t.Errorf("beside the mount: %v", err)
			}
		})
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	h := lay(t, map[string]string{"/d/a/b/c": "1", "/d/link": "-> /kept", "/kept/x": "2", "/disk/lost+found/x": "3", "/disk/y": "4", "/proc/self/mountinfo": ""})
	for _, dir := range []string{"/d", "/d", "/disk"} {
		if err := h.Delete(dir); err != nil {
			t.Error(err)
		}
	}
	want := map[string]string{"kept/x": "2", "disk/lost+found/x": "3", "proc/self/mountinfo": ""}
	if diff := cmp.Diff(want, tree(t, h.Path("/"))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
