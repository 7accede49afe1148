package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUnwantedCalls(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, code := range map[string]string{
		"a.go":        "package a\nfunc f(r Root) { os.RemoveAll(`x`); r.RemoveAll(`x`); host.Now(); os.Remove(`x`) }\n// os.RemoveAll\n",
		"b/b.go":      "package b\nvar remove, now = os.RemoveAll, time.Now\n",
		"b/b_test.go": "package b\nvar remove = os.RemoveAll\n",
		"e2e/c.go":    "package c\nvar remove = os.RemoveAll\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := unwantedCalls(root, unwanted{"RemoveAll", "x"}, unwanted{"time.Now", "y"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a.go:2:21: RemoveAll: x\n", "a.go:2:39: RemoveAll: x\n", "b/b.go:2:22: RemoveAll: x\n", "b/b.go:2:38: Now: y\n"}
	if got := strings.ReplaceAll(strings.Join(found, ""), root+"/", ""); got != strings.Join(want, "") {
		t.Errorf("got\n%s", got)
	}
}
