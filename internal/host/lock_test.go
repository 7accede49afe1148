package host

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLock(t *testing.T) {
	t.Parallel()
	h := Open(t.TempDir())
	unlock, err := h.Lock("/lock")
	if err != nil {
		t.Fatal(err)
	}
	// Another open file is as good as another process.
	_, err = Open(h.Path("/")).Lock("/lock")
	var locked *Locked
	if !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Fatalf("error %v, want one that names pid %d", err, os.Getpid())
	}
	unlock()
	unlock, err = h.Lock("/lock")
	if err != nil {
		t.Fatalf("after unlock: %v", err)
	}
	unlock()
}

func TestLockNamesCommand(t *testing.T) {
	t.Parallel()
	h := lay(t, map[string]string{"/lock": "4242\n", "/proc/4242/cmdline": "tripod\x00init\x00--token\x00secret\x00"})
	got := h.holder(h.Path("/lock"), "/var/lib/tripod/lock").Error()
	if !strings.HasPrefix(got, "/var/lib/tripod/lock is held by tripod init (pid 4242)\n") {
		t.Error(got)
	}
	if e := h.holder(h.Path("/gone"), "/x").Error(); !strings.Contains(e, "another process") {
		t.Error(e)
	}
}

func TestVerb(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"tripod init":       {"tripod", "init", "--token", "x"},
		"tripod sandbox up": {"tripod", "sandbox", "up"},
		"":                  {"-x"},
	} {
		if diff := cmp.Diff(want, verb(args)); diff != "" {
			t.Error(diff)
		}
	}
}
