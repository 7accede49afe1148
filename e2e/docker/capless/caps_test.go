package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMissingIn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status string
		want   []string
	}{
		{"CapEff:\t0\nCapBnd:\t000001ffffffffff\nCapAmb:\t0\n", nil},
		{"CapBnd:\t000001fffeffffff\n", []string{"CAP_SYS_RESOURCE"}},
		{"CapBnd:\t000000fffefffffe\n", []string{"CAP_CHOWN", "CAP_SYS_RESOURCE", "CAP_CHECKPOINT_RESTORE"}},
	} {
		got, err := missingIn(test.status)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", test.status, err, diff)
		}
	}
	if _, err := missingIn("Name:\tcapless\n"); err == nil {
		t.Error("a status without a bounding set: want an error")
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args      []string
		file, key string
	}{
		{[]string{"--root", "/r", "create", "--bundle", "/b", "--pid-file", "/b/init.pid", "id"}, "/b/config.json", "process"},
		{[]string{"run", "-b=/b", "id"}, "/b/config.json", "process"},
		{[]string{"--log-format", "json", "exec", "--process", "/tmp/p", "--detach", "id"}, "/tmp/p", ""},
		{[]string{"exec", "-p", "/tmp/p", "id"}, "/tmp/p", ""},
		{[]string{"--root", "/r", "kill", "id", "9"}, "", ""},
		{[]string{"--version"}, "", ""},
		{nil, "", ""},
	} {
		if file, key := document(test.args); file != test.file || key != test.key {
			t.Errorf("%q: got %q %q", test.args, file, key)
		}
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	missing := []string{"CAP_SYS_RESOURCE"}
	for _, test := range []struct{ name, key, in, want string }{
		{
			"bundle", "process",
			`{"process":{"capabilities":{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE"]},"rlimits":[{"hard":18446744073709551615}]}}`,
			`{"process":{"capabilities":{"bounding":["CAP_CHOWN"]},"rlimits":[{"hard":18446744073709551615}]}}`,
		},
		{
			"exec", "", `{"capabilities":{"effective":["CAP_SYS_RESOURCE"],"permitted":["CAP_KILL"]}}`,
			`{"capabilities":{"effective":[],"permitted":["CAP_KILL"]}}`,
		},
		{"nothing to take", "process", `{ "process": {"capabilities": {"bounding": ["CAP_KILL"]}}}`, `{ "process": {"capabilities": {"bounding": ["CAP_KILL"]}}}`},
		{"no capabilities", "process", `{"process": {}}`, `{"process": {}}`},
		{"no process", "process", `{"root": {}}`, `{"root": {}}`},
	} {
		got, err := remove([]byte(test.in), test.key, missing)
		if diff := cmp.Diff(test.want, string(got)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", test.name, err, diff)
		}
	}
	if _, err := remove([]byte("{"), "", missing); err == nil {
		t.Error("half a document: want an error")
	}
}

// A machine that has everything must not even touch the file.
func TestShedNothing(t *testing.T) {
	t.Parallel()
	if err := shed(filepath.Join(t.TempDir(), "absent"), "", nil); err != nil {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "process.json")
	content := `{"capabilities": {"effective": ["CAP_KILL"]}}`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := shed(file, "", []string{"CAP_SYS_RESOURCE"}); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(file); string(got) != content {
		t.Errorf("it was changed to %s", got)
	}
}
