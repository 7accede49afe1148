package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCommit(t *testing.T) {
	t.Parallel()
	h := lay(t, map[string]string{
		"/m/old.yaml":         "old",
		"/m/link.yaml":        "-> /elsewhere/theirs",
		"/elsewhere/theirs":   "theirs",
		"/m/.new.yaml.tripod": "torn by an earlier run",
		"/m/.ln.pem.tripod":   "-> anything",
	})
	err := h.Commit(t.Context(),
		File{Path: "/m/old.yaml", Mode: 0o600, Data: []byte("1")},
		File{Path: "/m/new.yaml", Mode: 0o644, Data: []byte("2")},
		File{Path: "/m/link.yaml", Mode: 0o600, Data: []byte("3")},
		File{Path: "/m/ln.pem", Link: "new.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"m/old.yaml": "1", "m/new.yaml": "2", "m/link.yaml": "3", "m/ln.pem": "-> new.yaml", "elsewhere/theirs": "theirs"}
	if diff := cmp.Diff(want, tree(t, h.Path("/"))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for path, mode := range map[string]fs.FileMode{"/m/old.yaml": 0o600, "/m/new.yaml": 0o644} {
		if info, err := os.Stat(h.Path(path)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v, want mode %v", path, info.Mode(), err, mode)
		}
	}
}

// TestCommitFails: whatever goes wrong before the first rename, nothing is left behind and nothing was touched.
func TestCommitFails(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx  context.Context
		last string
		want error
		hint string
	}{
		"directory missing":      {t.Context(), "/gone/x", fs.ErrNotExist, "the directory /gone is missing"},
		"cancelled":              {cancelled, "/m/x", context.Canceled, ""},
		"a file for a directory": {t.Context(), "/m/a/x", syscall.ENOTDIR, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"/m/a": "old"}
			h := lay(t, files)
			err := h.Commit(tt.ctx, File{Path: "/m/a", Mode: 0o600, Data: []byte("new")}, File{Path: tt.last, Mode: 0o600})
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.hint) {
				t.Errorf("error %v, want %v with hint %q", err, tt.want, tt.hint)
			}
			if diff := cmp.Diff(map[string]string{"m/a": "old"}, tree(t, h.Path("/"))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestCommitDiskFull has a child process for which no file can grow beyond some bytes, since
// nobody but root can make a small disk.
func TestCommitDiskFull(t *testing.T) {
	t.Parallel()
	h := lay(t, map[string]string{"/m/small": "old"})
	child := exec.Command(os.Args[0], "-test.run=^TestCommitDiskFullChild$", "-test.v")
	child.Env = append(os.Environ(), "TRIPOD_TEST_DISK_FULL="+h.Path("/"))
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"write /m/big: ", "hint: nothing was written; make room on the disk of /m"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	if diff := cmp.Diff(map[string]string{"m/small": "old"}, tree(t, h.Path("/"))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestCommitDiskFullChild is the child of TestCommitDiskFull; by itself it does nothing.
func TestCommitDiskFullChild(t *testing.T) {
	root := os.Getenv("TRIPOD_TEST_DISK_FULL")
	if root == "" {
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	const limit = 8 << 10
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		t.Fatal(err)
	}
	err := Open(root).Commit(t.Context(),
		File{Path: "/m/small", Mode: 0o600, Data: []byte("new")},
		File{Path: "/m/big", Mode: 0o600, Data: make([]byte, 2*limit)})
	if err == nil {
		t.Fatal("no error")
	}
	t.Log(err)
}
