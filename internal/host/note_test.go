package host

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A note is a line of its own, whatever was written before, and needs a directory that is there.
func TestNote(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := Open(dir)
	if err := h.Note("/none/journal", Entry{Verb: "token create"}); err != nil || h.Exists("/none") {
		t.Errorf("without a directory: %v", err)
	}
	path := filepath.Join(dir, "journal")
	if err := os.WriteFile(path, []byte(`{"verb": "init", "sta`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"token create", "token delete"} {
		if err := h.Note("/journal", Entry{Verb: verb, Status: "done"}); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := h.ReadJournal("/journal")
	var got []string
	for _, e := range entries {
		got = append(got, e.Verb+" "+e.Status)
	}
	if diff := cmp.Diff([]string{" " + Unreadable, "token create done", "token delete done"}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}
