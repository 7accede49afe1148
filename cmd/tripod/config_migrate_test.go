package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A file that everybody may read is no place for tokens.
func TestMigrateIntoWideFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new.yaml")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writePrivate(t.Context(), path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if data, _ := os.ReadFile(path); err != nil || info.Mode().Perm() != 0o600 || string(data) != "new" {
		t.Errorf("%v, %q, %v", info.Mode(), data, err)
	}
	if err := writePrivate(t.Context(), os.DevNull, []byte("new")); err != nil {
		t.Error(err)
	}
}
