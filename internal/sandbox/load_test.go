package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// saved are sandboxes below a folder, of three masters each, of which nothing runs.
func saved(t *testing.T, names ...string) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range names {
		s, err := New(folder, name, 3)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Change(func(s *Sandbox) { s.KubernetesVersion, s.BinDir = "v1.36.3", "/bin" }); err != nil {
			t.Fatal(err)
		}
		for _, m := range s.Masters {
			if err := os.MkdirAll(s.Root(m), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	return folder
}

// A record that was cut or flipped anywhere is named, or still is one that can be used; the others are listed all the same.
func TestDamagedRecord(t *testing.T) {
	t.Parallel()
	folder := saved(t, "a", "b")
	path := filepath.Join(folder, "a", record)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(how string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Load(folder, "a")
		var damaged *Damaged
		switch {
		case err == nil:
			_, _, _ = s.Address(), s.Backends(), s.Dir()
		case !errors.As(err, &damaged) || !strings.Contains(err.Error(), path) || len(damaged.Found.Masters) != 3:
			t.Errorf("%s: %v", how, err)
		}
		all, listed := List(folder)
		if (err == nil) != (listed == nil) || !slices.ContainsFunc(all, func(s Sandbox) bool { return s.Name == "b" }) {
			t.Errorf("%s: %d listed, %v", how, len(all), listed)
		}
	}
	for length := range whole {
		check(fmt.Sprintf("cut at %d", length), whole[:length])
	}
	for at := range whole {
		for _, bit := range []byte{1, 4, 0x80} {
			flipped := append([]byte{}, whole...)
			flipped[at] ^= bit
			check(fmt.Sprintf("flipped at %d by %x", at, bit), flipped)
		}
	}
	for _, other := range []string{"", "null", "{}", `{"name": "b"}`, `{"name": "a", "masters": [{"name": "../m1", "address": "127.64.1.1"}]}`} {
		check(other, []byte(other))
		if _, err := Load(folder, "a"); err == nil {
			t.Errorf("%s passes", other)
		}
	}
}

// What is in a folder without a record can be taken down; a name does not lead out of it.
func TestRemains(t *testing.T) {
	t.Parallel()
	folder := saved(t, "a")
	if err := os.Remove(filepath.Join(folder, "a", record)); err != nil {
		t.Fatal(err)
	}
	if s := Remains(folder, "a"); len(s.Masters) != 3 || s.Root(s.Masters[2]) != filepath.Join(folder, "a", "m3") {
		t.Errorf("it has %v", s.Masters)
	}
	for _, name := range []string{"b", "../a", ".", ""} {
		if s := Remains(filepath.Join(folder, "a"), name); len(s.Masters) > 0 {
			t.Errorf("%q has %v", name, s.Masters)
		}
	}
}
