package etcd

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// What the data of a member tell is what it has told itself, and data with which a cluster was begun anew are told from those
// of a member that has acknowledged more.
func TestHistory(t *testing.T) {
	t.Parallel()
	all := trio(t)
	member := all[0].dialed(t)
	survey, err := Survey(t.Context(), []string{all[0].client}, all[0].trust("ca"))
	if err != nil {
		t.Fatal(err)
	}
	before, err := member.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadHistory(all[0].data); !errors.Is(err, ErrRunning) {
		t.Errorf("while it runs: %v", err)
	}
	all[0].end(t)
	other := all[1].dialed(t)
	for range 20 {
		if _, err := other.client.Put(t.Context(), "/acknowledged", "1"); err != nil {
			t.Fatal(err)
		}
	}
	all[1].end(t)

	first, err := ReadHistory(all[0].data)
	if err != nil || first.Cluster != survey.ID || first.Member != before.Header.MemberId || first.Index < before.RaftAppliedIndex ||
		first.Term < before.RaftTerm || len(first.Voters) != 3 || !slices.Contains(first.Voters, first.Member) {
		t.Errorf("%+v, %v, and the member told %+v", first, err, before)
	}
	all[0].args = append(all[0].args, "--force-new-cluster")
	all[0].run(t)
	alone := all[0].dialed(t)
	if got, err := alone.client.Get(t.Context(), "/acknowledged", clientv3.WithSerializable()); err != nil || got.Count != 0 {
		t.Fatalf("the member that was begun anew has it: %v, %v", got, err)
	}
	now, err := Survey(t.Context(), []string{all[0].client}, all[0].trust("ca"))
	if err != nil || len(now.Members) != 1 || now.ID != survey.ID {
		t.Fatal(now, err)
	}
	ahead, err := ReadHistory(all[1].data)
	if err != nil || !ahead.Beyond(now) || first.Beyond(now) {
		t.Errorf("%s and %s beside %s, %v", ahead, first, now.Reached(), err)
	}
}

// Data that are cut off or flipped give an error, or what they say, and nothing else.
func TestHistoryDamaged(t *testing.T) {
	t.Parallel()
	s := start(t)
	_ = s.dialed(t)
	s.end(t)
	logs, err := filepath.Glob(filepath.Join(s.data, "member", "wal", "*.wal"))
	if err != nil || len(logs) != 1 {
		t.Fatal(logs, err)
	}
	data, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	head := data[:256]
	for size := range head {
		replace(t, logs[0], head[:size])
		if _, err := ReadHistory(s.data); size < 16 {
			mentions(t, err, logs[0])
		}
	}
	for at := range head {
		head[at] ^= 0xff
		replace(t, logs[0], head)
		_, _ = ReadHistory(s.data) // ends
		head[at] ^= 0xff
	}
	replace(t, logs[0], head)
	if _, err := ReadHistory(s.data); err != nil {
		t.Error(err)
	}
	if _, err := ReadHistory(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func replace(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
