package e2e

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/e2e/lab"
)

// namedWithin is far longer than it takes to find out what is wrong on a disk.
const namedWithin = 40 * time.Second

// A master whose files are cut or flipped comes up all the same, or the file is named at once and nothing is changed.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, "broken", lab.Default)
	must(t)(s.Run(t.Context(), "stop", "m1"))
	files := []string{"sandbox.json", "m1/var/lib/tripod/etcd-member.json", "m1/etc/kubernetes/manifests/etcd.yaml", "m1/etc/kubernetes/pki/etcd/server.crt"}
	if drill() {
		files = stateFiles(t, s)
	}
	for _, file := range files {
		whole, err := os.ReadFile(filepath.Join(s.Folder(), file))
		if err != nil {
			t.Fatal(err)
		}
		for how, data := range broken(whole) {
			t.Run(file+" "+how, func(t *testing.T) { wantNamed(t, s, file, whole, data) })
		}
	}
	must(t)(s.Run(t.Context(), "start", "m1"))
	wantReady(t, s.Kubectl)
}

// broken are the ways in which a file is broken.
func broken(whole []byte) map[string][]byte {
	ways := map[string][]byte{"cut": whole[:len(whole)/2]}
	if drill() {
		flipped := slices.Clone(whole)
		flipped[len(flipped)/2] ^= 0x40
		ways["flipped"], ways["empty"] = flipped, nil
	}
	return ways
}

// wantNamed wants a start with the broken file to name it and to change nothing, or to bring the master up.
func wantNamed(t *testing.T, s *lab.Sandbox, file string, whole, data []byte) {
	path := filepath.Join(s.Folder(), file)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		must(t)(s.Run(context.Background(), "stop", "m1"))
	}()
	before := sandboxListing(t, s)
	ctx, stop := context.WithTimeout(t.Context(), namedWithin)
	defer stop()
	cmd := s.Command(ctx, "start", "m1")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	out, err := cmd.CombinedOutput()
	if err == nil {
		return
	}
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	if ctx.Err() != nil || !strings.Contains(string(out), name) {
		t.Errorf("it is not named: %v, %v\n%s", err, ctx.Err(), out)
	}
	if diff := cmp.Diff(before, sandboxListing(t, s)); diff != "" {
		t.Errorf("the start that failed has changed something (-before +after):\n%s", diff)
	}
}

// stateFiles are the files of a sandbox that tripod has written, the data of etcd aside.
func stateFiles(t *testing.T, s *lab.Sandbox) []string {
	t.Helper()
	var all []string
	for file := range sandboxListing(t, s) {
		all = append(all, file)
	}
	slices.Sort(all)
	return all
}

// sandboxListing are the digests of those files by path. Whether a master is stopped is in the record, and changes.
func sandboxListing(t *testing.T, s *lab.Sandbox) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(s.Folder(), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && slices.Contains([]string{"agent", "etcd-data", "member"}, e.Name()) {
			return filepath.SkipDir
		}
		inside, err := filepath.Rel(s.Folder(), path)
		if err != nil || !e.Type().IsRegular() || e.Name() == "lock" {
			return err
		}
		data, err := os.ReadFile(path)
		if inside == "sandbox.json" {
			data = []byte(strings.ReplaceAll(string(data), ",\n      \"stopped\": true", ""))
		}
		files[inside] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
