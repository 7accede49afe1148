package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testSource reads files "POD [REST]" as pods; "bad" is a problem.
func testSource(t *testing.T, files map[string]string) (*source, func(name, text string)) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		write(name, text)
	}
	return &source{dir: dir, read: func(file string, data []byte) (pod, []Problem) {
		text := string(data)
		if text == "bad" {
			return pod{}, []Problem{{Why: text}}
		}
		name, _, _ := strings.Cut(text, " ")
		return pod{Namespace: "n", Name: name, File: file, Hash: text}, nil
	}}, write
}

func hashes(l listing) map[string]string {
	out := map[string]string{}
	for key, p := range l.pods {
		out[key] = p.Hash
	}
	return out
}

func TestWhichFilesCount(t *testing.T) {
	t.Parallel()
	s, _ := testSource(t, map[string]string{
		"a.yaml": "a", "b": "b", "c.yaml.bak": "c", ".hidden.yaml": "hidden", "large": strings.Repeat("x", maxManifest+1),
	})
	if err := os.Mkdir(filepath.Join(s.dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("b", filepath.Join(s.dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(s.dir, "loose")); err != nil {
		t.Fatal(err)
	}
	l, err := s.list(true)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "pods", hashes(l), map[string]string{"n/a": "a", "n/b": "b", "n/c": "c"})
	equal(t, "the link wins", l.pods["n/b"].File, "link")
	for _, file := range l.files {
		bad := file.File == "folder" || file.File == "large" || file.File == "loose"
		equal(t, file.File, len(file.Problems) > 0, bad)
	}
}

// Of two files that name the same pod the later by name wins.
func TestSamePodTwice(t *testing.T) {
	t.Parallel()
	s, write := testSource(t, map[string]string{"etcd.yaml": "etcd 1", "etcd.yaml.bak": "etcd 2"})
	l, err := s.list(false)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "pods", hashes(l), map[string]string{"n/etcd": "etcd 2"})
	equal(t, "files", l.files, []FileState{
		{File: "etcd.yaml", Pod: "n/etcd", Shadowed: "etcd.yaml.bak"},
		{File: "etcd.yaml.bak", Pod: "n/etcd"},
	})
	write("etcd.yaml.bak", "bad")
	l, _ = s.list(false)
	equal(t, "until the relist", hashes(l), map[string]string{"n/etcd": "etcd 2"})
	l, _ = s.list(true)
	equal(t, "then", hashes(l), map[string]string{"n/etcd": "etcd 1"})
}

func TestBrokenFileKeepsItsPodUntilTheRelist(t *testing.T) {
	t.Parallel()
	s, write := testSource(t, map[string]string{"a": "a 1"})
	steps := []struct {
		text   string
		relist bool
		want   map[string]string
	}{
		{"a 1", true, map[string]string{"n/a": "a 1"}},
		{"bad", false, map[string]string{"n/a": "a 1"}},
		{"bad", false, map[string]string{"n/a": "a 1"}},
		{"a 2", false, map[string]string{"n/a": "a 2"}},
		{"bad", true, map[string]string{}},
		{"bad", false, map[string]string{}},
		{"a 3", false, map[string]string{"n/a": "a 3"}},
	}
	for _, step := range steps {
		write("a", step.text)
		l, err := s.list(step.relist)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, step.text, hashes(l), step.want)
		equal(t, "problem is told", len(l.files[0].Problems) > 0, step.text == "bad")
	}
}

func TestMissingDirectoryHoldsNothing(t *testing.T) {
	t.Parallel()
	s := &source{dir: filepath.Join(t.TempDir(), "none")}
	l, err := s.list(true)
	equal(t, "pods", []any{len(l.pods), err}, []any{0, nil})

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (&source{dir: file}).list(true); err == nil {
		t.Error("a file is no directory")
	}
}
