//go:build killpoint

package host

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// killed runs TestKillChild on root until it is killed at the given killpoint, and says whether it was.
func killed(t *testing.T, root string, at int, list string) bool {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestKillChild$")
	child.Env = append(os.Environ(), "TRIPOD_TEST_ROOT="+root, fmt.Sprintf("TRIPOD_KILL_AT=%d", at), "TRIPOD_KILL_LIST="+list)
	out, err := child.CombinedOutput()
	if err != nil && !strings.Contains(err.Error(), "killed") {
		t.Fatalf("%v: %s", err, out)
	}
	return err != nil
}

// TestCommitKilled kills the replacement of one pair by another, in a process of its own, at
// every killpoint: what is read afterwards is always a pair, the old or the new, and the same
// commit done again gives the new one with nothing left behind.
func TestCommitKilled(t *testing.T) {
	t.Parallel()
	oldCert, oldKey := newPair(t)
	newCert, newKey := newPair(t)
	list := t.TempDir() + "/list"
	at := 1
	for ; ; at++ {
		h := lay(t, map[string]string{"/ca.crt": string(oldCert), "/ca.key": string(oldKey),
			"/new/crt": string(newCert), "/new/key": string(newKey)})
		if !killed(t, h.Path("/"), at, list) {
			break
		}
		cert, key, err := h.ReadPair("/ca.crt", "/ca.key")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tls.X509KeyPair(cert, key); err != nil {
			t.Errorf("killed at %d: %v", at, err)
		}
		// The next run keeps what it read, and puts it where it belongs.
		if err := h.Commit(t.Context(), File{Path: "/ca.crt", Mode: 0o644, Data: cert}); err != nil {
			t.Fatal(err)
		}
		if killed(t, h.Path("/"), 0, list) {
			t.Fatal("killed without being told to")
		}
		if got := tree(t, h.Path("/")); got["ca.crt"] != string(newCert) || len(got) != 4 {
			t.Errorf("killed at %d, run again: %v", at, got)
		}
	}
	data, _ := os.ReadFile(list)
	for _, name := range []string{"1 staged", "2 renamed /ca.key", "3 renamed /ca.crt", "4 committed"} {
		if !bytes.Contains(data, []byte(name+"\n")) {
			t.Errorf("no killpoint %q among\n%s", name, data)
		}
	}
	if at != 5 {
		t.Errorf("%d killpoints, want 4", at-1)
	}
}

// TestStagedCertificateIsKept: the only copy of a certificate is not taken away to be written again.
func TestStagedCertificateIsKept(t *testing.T) {
	t.Parallel()
	cert, key := newPair(t)
	h := lay(t, map[string]string{"/.ca.crt.tripod": string(cert), "/ca.key": string(key),
		"/new/crt": string(cert), "/new/key": string(key)})
	for at := range 6 {
		killed(t, h.Path("/"), at, "")
		got, _, err := h.ReadPair("/ca.crt", "/ca.key")
		if err != nil || !bytes.Equal(got, cert) {
			t.Errorf("killed at %d: %v, %q", at, err, got)
		}
	}
}

// TestKillChild commits the pair in new/ as ca; by itself it does nothing.
func TestKillChild(t *testing.T) {
	root := os.Getenv("TRIPOD_TEST_ROOT")
	if root == "" {
		return
	}
	h := Open(root)
	cert, _, _ := h.Read("/new/crt")
	key, _, _ := h.Read("/new/key")
	err := h.Commit(t.Context(), File{Path: "/ca.key", Mode: 0o600, Data: key.Data}, File{Path: "/ca.crt", Mode: 0o644, Data: cert.Data})
	if err != nil {
		t.Fatal(err)
	}
}
