package host

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree is what lies below a directory: content, or "-> target", by path.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(root, path)
		if d.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(path)
			found[name] = "-> " + target
			return err
		}
		data, err := os.ReadFile(path)
		found[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// lay writes files below a new directory, "-> target" being a symlink, and opens it.
func lay(t *testing.T, files map[string]string) *Host {
	t.Helper()
	h := Open(t.TempDir())
	for path, content := range files {
		full := h.Path(path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, isLink := cutLink(content); isLink {
			if err := os.Symlink(target, full); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func cutLink(content string) (string, bool) {
	if len(content) > 3 && content[:3] == "-> " {
		return content[3:], true
	}
	return "", false
}

func TestRead(t *testing.T) {
	t.Parallel()
	h := lay(t, map[string]string{
		"/etc/a":       "content",
		"/etc/rel":     "-> a",
		"/etc/abs":     "-> /etc/a",
		"/etc/nowhere": "-> gone",
		"/etc/todir":   "-> /etc",
	})
	for _, tt := range []struct {
		path   string
		want   File
		exists bool
	}{
		{"/etc/a", File{Path: "/etc/a", Mode: 0o644, Data: []byte("content")}, true},
		{"/etc/rel", File{Path: "/etc/rel", Mode: 0o777, Data: []byte("content"), Link: "a"}, true},
		{"/etc/abs", File{Path: "/etc/abs", Mode: 0o777, Data: []byte("content"), Link: "/etc/a"}, true},
		{"/etc/nowhere", File{Path: "/etc/nowhere", Mode: 0o777, Link: "gone"}, true},
		{"/etc/todir", File{Path: "/etc/todir", Mode: 0o777, Link: "/etc"}, true},
		{"/etc", File{Path: "/etc", Mode: fs.ModeDir | 0o755}, true},
		{"/etc/gone", File{}, false},
		{"/etc/a/below", File{}, false},
	} {
		got, exists, err := h.Read(tt.path)
		if err != nil || exists != tt.exists {
			t.Errorf("Read(%s) = %v, %v, want exists %v", tt.path, exists, err, tt.exists)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Read(%s): (-want +got)\n%s", tt.path, diff)
		}
	}
}

func TestMkdir(t *testing.T) {
	t.Parallel()
	h := Open(t.TempDir())
	if err := h.Mkdir("/etc/kubernetes/pki", 0o700); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(h.Path("/etc/kubernetes/pki"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v, want mode 0700", info, err)
	}
	if err := os.Chmod(h.Path("/etc/kubernetes"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := h.Mkdir("/etc/kubernetes", 0o700); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(h.Path("/etc/kubernetes")); info.Mode().Perm() != 0o755 {
		t.Errorf("the mode of a directory that was there became %v", info.Mode())
	}
}

func TestListRemoveSweep(t *testing.T) {
	t.Parallel()
	h := lay(t, map[string]string{"/m/etcd.yaml": "", "/m/.etcd.yaml.tripod": "", "/m/.keep": "", "/m/x.tripod": ""})
	if err := h.Sweep("/m", "/gone"); err != nil {
		t.Fatal(err)
	}
	if err := h.Remove("/m/etcd.yaml"); err != nil {
		t.Fatal(err)
	}
	if err := h.Remove("/m/etcd.yaml"); err != nil {
		t.Errorf("removing what is not there: %v", err)
	}
	names, err := h.List("/m")
	if diff := cmp.Diff([]string{".keep", "x.tripod"}, names); diff != "" || err != nil {
		t.Errorf("error %v, (-want +got)\n%s", err, diff)
	}
	if names, err := h.List("/gone"); names != nil || err != nil {
		t.Errorf("List of what is not there = %v, %v", names, err)
	}
}
