package host

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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

func TestJournalBadLine(t *testing.T) {
	t.Parallel()
	h := lay(t, map[string]string{"/journal": "{}\nno json\n"})
	if _, err := h.ReadJournal("/journal"); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("error %v, want one that names line 2", err)
	}
}
