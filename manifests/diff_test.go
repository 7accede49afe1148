package manifests

import (
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/quick"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		old, new []byte
		want     string
	}{
		"same":    {[]byte("a\n"), []byte("a\n"), ""},
		"created": {nil, []byte("a\nb\n"), "--- /dev/null\n+++ f\n@@ -0,0 +1,2 @@\n+a\n+b\n"},
		"removed": {[]byte("a\n"), nil, "--- f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n"},
		"changed": {[]byte("1\n2\n3\n4\n5\n6\n7\n8\n9\n"), []byte("1\n2\n3\n4\nV\n6\n7\n8\n9\n"),
			"--- f\n+++ f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+V\n 6\n 7\n 8\n"},
		"two hunks": {[]byte("1\n2\n3\n4\n5\n6\n7\n8\n9\n"), []byte("0\n1\n2\n3\n4\n5\n6\n7\n8\n"),
			"--- f\n+++ f\n@@ -1,3 +1,4 @@\n+0\n 1\n 2\n 3\n@@ -6,4 +7,3 @@\n 6\n 7\n 8\n-9\n"},
		"no newline at the end": {[]byte("a\nb"), []byte("a\nb\n"),
			"--- f\n+++ f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Diff("f", test.old, test.new, 3); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// Whatever the difference, patch(1) makes the new text of the old.
func TestDiffPatches(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("patch"); err != nil {
		t.Skip("SKIPPED: there is no patch(1) on this machine")
	}
	dir := t.TempDir()
	applies := func(seed int64) bool {
		r := rand.New(rand.NewSource(seed))
		before, after := randomText(r), randomText(r)
		file := filepath.Join(dir, "f")
		if err := os.WriteFile(file, before, 0o600); err != nil {
			t.Fatal(err)
		}
		patch := exec.Command("patch", "--quiet", "--fuzz=0", file)
		patch.Stdin = strings.NewReader(Diff("f", before, after, 3))
		output, err := patch.CombinedOutput()
		got, _ := os.ReadFile(file)
		if err != nil || string(got) != string(after) {
			t.Logf("%s %v", output, err)
			return false
		}
		return true
	}
	if err := quick.Check(applies, &quick.Config{MaxCount: 50}); err != nil {
		t.Error(err)
	}
}

// randomText has few different lines, so that two of it have much in common, and now and then no newline at its end.
func randomText(r *rand.Rand) []byte {
	var lines []string
	for range 1 + r.Intn(30) {
		lines = append(lines, strings.Repeat("x", 1+r.Intn(4)))
	}
	end := "\n"
	if r.Intn(4) == 0 {
		end = ""
	}
	return []byte(strings.Join(lines, "\n") + end)
}
