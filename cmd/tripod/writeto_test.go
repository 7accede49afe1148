package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Who has prepared the directory does not choose where the keys are written.
func TestWriteToKeepsInside(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]string{"a folder": "etc", "a file": "etc/kubernetes/pki/ca.key"} {
		prepared, outside := t.TempDir(), t.TempDir()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(prepared, link)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(outside, "x"), filepath.Join(prepared, link)); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(outside, "x"), 0o755); name == "a folder" && err != nil {
			t.Fatal(err)
		}
		err := writeFiles(prepared, somePlan())
		if name == "a folder" && (err == nil || !strings.Contains(err.Error(), "\nhint: --write-to takes a new")) {
			t.Errorf("%s: %v", name, err)
		}
		if info, bad := os.Lstat(filepath.Join(prepared, link)); name == "a file" && (err != nil || bad != nil || !info.Mode().IsRegular()) {
			t.Errorf("%s: %v, %v", name, err, info)
		}
		if left, _ := filepath.Glob(filepath.Join(outside, "x", "*")); len(left) > 0 {
			t.Errorf("%s: written outside: %v", name, left)
		}
	}
}
