package phases

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A reset makes room where there is none, and says what it could not write.
func TestResetFullDisk(t *testing.T) {
	s := newStage(t, "")
	state := s.c.Paths.State
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", state, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("it takes the right to mount: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(state, unix.MNT_DETACH) })
	filler, err := os.Create(filepath.Join(state, "snapshot.db"))
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) || filler.Close() != nil {
		t.Fatal(err)
	}
	m := s.gather(t)
	m.Leaving = &Leaving{}
	record, err := m.record()
	if err != nil {
		t.Fatal(err)
	}
	told, err := s.run(t.Context(), t, m, []Step{{Phase: "cleanup-node", Changes: append(record, clearing("state", state)...)}})
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(state); len(left) > 0 || err != nil {
		t.Errorf("%v is left, %v", left, err)
	}
	for _, want := range []string{"the journal does not say", recordPath(s.c) + " is left out"} {
		said := false
		for _, e := range told {
			said = said || strings.Contains(e.Text, want)
		}
		if !said {
			t.Errorf("not told: %s, but %v", want, told)
		}
	}
}
