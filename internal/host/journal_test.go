package host

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"
)

func TestJournal(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	done := Entry{Time: at, Verb: "init", Phase: "certs", Changes: []string{"create ca.crt"}, Status: "done"}
	line := `{"time":"2026-01-02T03:04:05Z","verb":"init","phase":"certs","changes":["create ca.crt"],"status":"done"}` + "\n"
	for name, tt := range map[string]struct {
		before string
		want   []Entry
	}{
		"new":              {"", nil},
		"whole":            {line, []Entry{done}},
		"last line torn":   {line + line[:30], []Entry{done}},
		"nothing but torn": {line[:30], nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := lay(t, map[string]string{"/journal": tt.before})
			check(t, h, tt.want...)
			j, err := h.Journal("/journal")
			if err != nil {
				t.Fatal(err)
			}
			failed := Entry{Verb: "init", Status: "failed", Error: "why"}
			if err := j.Append(failed); err != nil {
				t.Fatal(err)
			}
			check(t, h, append(tt.want, failed)...)
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func check(t *testing.T, h *Host, want ...Entry) {
	t.Helper()
	got, err := h.ReadJournal("/journal")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Entry{}, "Time"), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestJournalSideBySide(t *testing.T) {
	t.Parallel()
	h := Open(t.TempDir())
	j, err := h.Journal("/journal")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := j.Append(Entry{Status: strings.Repeat("x", 5000)}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if entries, err := h.ReadJournal("/journal"); len(entries) != 20 || err != nil {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}

// Whatever a disk makes of a journal, it is read, and appended to.
func TestJournalDamaged(t *testing.T) {
	t.Parallel()
	const line = `{"time":"2026-01-02T03:04:05Z","verb":"init","status":"done"}` + "\n"
	variants := []string{"no json\n", "\x00\x00", line + "\n\n" + line}
	for i := range len(line) * 2 {
		flipped := []byte(line + line)
		flipped[i] ^= 0xff
		variants = append(variants, (line + line)[:i], string(flipped))
	}
	for _, damaged := range variants {
		h := lay(t, map[string]string{"/journal": damaged})
		j, err := h.Journal("/journal")
		if err != nil {
			t.Fatalf("%q: %v", damaged, err)
		}
		if err := j.Append(Entry{Verb: "reset", Status: "begun"}); err != nil {
			t.Fatal(err)
		}
		_ = j.Close()
		entries, err := h.ReadJournal("/journal")
		if err != nil || len(entries) == 0 || entries[len(entries)-1].Verb != "reset" {
			t.Errorf("%q: %v, %v", damaged, entries, err)
		}
		unreadable := 0
		for _, e := range entries {
			if e.Status == Unreadable {
				unreadable++
			}
		}
		if unreadable != len(j.Damaged) {
			t.Errorf("%q: %d lines are unreadable, and told are %d", damaged, unreadable, j.Damaged)
		}
	}
}

// A disk that is full for a moment costs the entry that it has no room for, and nothing that comes before or after it.
func TestJournalFullDisk(t *testing.T) {
	t.Parallel()
	h := Open(fullable(t))
	j, err := h.Journal("/journal")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for len(entriesOf(t, h)) < 3 {
		if err := j.Append(Entry{Verb: "upgrade", Phase: strings.Repeat("a", 1000), Status: "begun"}); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, h.Path("/filler"))
	var full error
	for range 10 { // the block of the last entry has room left
		if full = j.Append(Entry{Verb: "upgrade", Phase: strings.Repeat("b", 1000), Status: "begun"}); full != nil {
			break
		}
	}
	if !DiskFull(full) || !strings.Contains(full.Error(), "make room on the disk of") {
		t.Fatalf("got %v", full)
	}
	if err := h.Remove("/filler"); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(Entry{Verb: "upgrade", Status: "failed"}); err != nil {
		t.Fatal(err)
	}
	entries := entriesOf(t, h)
	if last := entries[len(entries)-1]; last.Status != "failed" {
		t.Errorf("the last is %v", last)
	}
	for i, e := range entries {
		if e.Verb != "upgrade" {
			t.Errorf("%d: %v", i, e)
		}
	}
}

func entriesOf(t *testing.T, h *Host) []Entry {
	t.Helper()
	entries, err := h.ReadJournal("/journal")
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// fullable is a directory on a small disk of its own.
func fullable(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("it takes the right to mount: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// fill writes a file until its disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}

// A lock is held where there is no room to say by whom.
func TestLockFullDisk(t *testing.T) {
	t.Parallel()
	h := Open(fullable(t))
	if err := os.WriteFile(h.Path("/lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fill(t, h.Path("/filler"))
	unlock, err := h.Lock("/lock")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := h.Lock("/lock"); !errors.As(err, new(*Locked)) {
		t.Errorf("got %v", err)
	}
}
