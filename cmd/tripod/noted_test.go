package main

import (
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

// What is done outside of a plan leaves a line that it was begun, and one of how it ended.
func TestNoted(t *testing.T) {
	t.Parallel()
	paths := config.PathsUnder(t.TempDir())
	if err := os.MkdirAll(paths.State, 0o700); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("no quorum")
	for _, want := range []error{nil, refused} {
		if err := noted(paths, "etcd member remove", []string{"remove etcd member m3"}, func() error { return want }); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	entries, err := host.Open("/").ReadJournal(phases.JournalUnder(paths))
	var got []string
	for _, e := range entries {
		got = append(got, e.Verb+", "+e.Changes[0]+": "+e.Status+e.Error)
	}
	const did = "etcd member remove, remove etcd member m3: "
	if diff := cmp.Diff([]string{did + "begun", did + "done", did + "begun", did + "failedno quorum"}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}
