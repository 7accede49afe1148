package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever has become of a sandbox, down takes it down: its record damaged or gone, or at a path that has no room in a
// socket's address.
func TestDownWhateverIsLeft(t *testing.T) {
	for name, tt := range map[string]struct{ below, record string }{
		"damaged":     {"", `{"name": "a", "mas`},
		"no record":   {"", ""},
		"a long path": {strings.Repeat("long/", 24), `{"name": "a", "masters": [{"name": "m1", "address": "127.64.1.1"}]}`},
	} {
		state := filepath.Join(t.TempDir(), tt.below)
		t.Setenv("XDG_STATE_HOME", state)
		folder := filepath.Join(state, "tripod", "sandboxes", "a")
		put(t, filepath.Join(folder, "m1", "etc/kubernetes/manifests/etcd.yaml"), existing)
		if tt.record != "" {
			put(t, filepath.Join(folder, "sandbox.json"), tt.record)
		}
		var out bytes.Buffer
		cmd := newCommand(tripodName, &out, &out)
		cmd.SetArgs([]string{"sandbox", "down", "--name", "a"})
		if err := cmd.ExecuteContext(t.Context()); err != nil || !strings.Contains(out.String(), "Sandbox a is gone") {
			t.Errorf("%s: %v\n%s", name, err, &out)
		}
		if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the folder is still there: %v", name, err)
		}
	}
}
