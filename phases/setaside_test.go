package phases

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/sys/unix"

	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
)

// What is mounted below the data of a removed member is not moved with them: nothing is touched then, its manifest included.
func TestSetDataAsideMounted(t *testing.T) {
	s := newStage(t, "")
	m := s.gather(t)
	m.Membership = membership(0xa, 0xb)
	mounted, other := filepath.Join(m.Paths.EtcdData, "backups"), t.TempDir()
	precious, manifest := filepath.Join(other, "backup.db"), manifestPath(m, "etcd")
	for path, dir := range map[string]string{precious: other, manifest: m.Paths.Manifests, mounted: mounted} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if path != dir {
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := unix.Mount(other, mounted, "", unix.MS_BIND, ""); err != nil {
		t.Skip("it takes the right to mount: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(mounted, unix.MNT_DETACH) })
	if err := m.setDataAside().do(t.Context(), s.site); err == nil || !strings.Contains(err.Error(), mounted+" is mounted below") {
		t.Errorf("got %v", err)
	}
	for _, path := range []string{precious, manifest} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// What is left of a member that the cluster has removed is kept, whether it can be read or not, and its place is free for the
// next one. The apiserver in front of it ends, and is made anew.
func TestSetDataAside(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	m := s.gather(t)
	m.Membership, m.Etcd = membership(0xa, 0xb), There(etcd.Cluster{ID: 0xa})
	database := filepath.Join(m.Paths.EtcdData, "member", "snap", "db")
	lie(t, map[string]string{database: "acknowledged", manifestPath(m, "etcd"): "a", manifestPath(m, "kube-apiserver"): "b"})
	var warned string
	s.site.warn = func(text string) { warned = text }
	if err := m.setDataAside().do(t.Context(), s.site); err != nil {
		t.Fatal(err)
	}
	kept := m.Paths.EtcdData + ".kept-b"
	if data, err := os.ReadFile(filepath.Join(kept, "member", "snap", "db")); err != nil || string(data) != "acknowledged" {
		t.Errorf("%s, %v", data, err)
	}
	for _, word := range []string{"removed member b are kept in " + kept, "how far they reach is not known"} {
		if !strings.Contains(warned, word) {
			t.Errorf("%q does not tell %q", warned, word)
		}
	}
	for _, path := range []string{filepath.Dir(filepath.Dir(database)), manifestPath(m, "etcd"), manifestPath(m, "kube-apiserver")} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
}

// An apiserver whose etcd has left the cluster is made anew, also where its manifest stays the same.
func TestRejoiningAPIServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := grown(t, "").gather(t)
		m.Etcd = There(etcd.Cluster{ID: 0xa, Members: []etcd.Peer{{ID: 0xb, Name: "node-1"}}})
		m.Membership = membership(0xa, 0xb)
		if again, err := rejoiningAPIServer(m); err != nil || len(again) != 0 {
			t.Errorf("of a member that stays: %v, %v", again, err)
		}
		m.Etcd = There(etcd.Cluster{ID: 0xa, Members: []etcd.Peer{{ID: 0xc, Name: "other"}}})
		if again, err := rejoiningAPIServer(m); err != nil || len(again) != 1 || again[0].Verb != "create" || len(m.Files) == 0 {
			t.Errorf("of a removed member: %v, %v", again, err)
		}
	})
}

func lie(t *testing.T, files map[string]string) {
	t.Helper()
	for path, text := range files {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// A reset removes the data of a member that is no more, unless they reach further than the cluster that goes on.
func TestResetKeepsWhatTheClusterLacks(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cluster, term, index uint64
		kept                 bool
	}{
		"further":         {cluster: 0xa, term: 3, index: 41, kept: true},
		"a later term":    {cluster: 0xa, term: 4, index: 7, kept: true},
		"not as far":      {cluster: 0xa, term: 3, index: 39},
		"another cluster": {cluster: 0xd, term: 9, index: 99},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "")
			m := s.gather(t)
			m.Leaving, m.Membership = &Leaving{}, membership(0xa, 0xb)
			m.Etcd = There(etcd.Cluster{ID: 0xa, Members: []etcd.Peer{{ID: 0xc, Name: "other", RaftTerm: 3, RaftIndex: 40}}})
			m.Survey.Dirs = map[string]host.Dir{m.Paths.EtcdData: {Exists: true, Entries: 1}}
			storeHistory(t, m.Paths.EtcdData, etcd.History{Cluster: tt.cluster, Member: 0xb, Term: tt.term, Index: tt.index})
			warned := ""
			s.site.warn = func(text string) { warned = text }
			if err := m.clearEtcd()[0].do(t.Context(), s.site); err != nil {
				t.Fatal(err)
			}
			left, err := os.ReadDir(m.Paths.EtcdData)
			_, lost := os.Stat(filepath.Join(m.Paths.EtcdData+".kept-b", "member", "snap", "db"))
			if err != nil || len(left) != 0 || tt.kept != (lost == nil) || tt.kept != strings.Contains(warned, "it lacks what is in them") {
				t.Errorf("left are %v, %v; kept: %v; told %q", left, err, lost, warned)
			}
		})
	}
}

// storeHistory lays data as an etcd leaves them that has got so far.
func storeHistory(t *testing.T, dir string, h etcd.History) {
	t.Helper()
	identity := etcdserverpb.Metadata{NodeID: h.Member, ClusterID: h.Cluster}
	metadata, err := identity.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	record := append([]byte{1 << 3, 1, 2 << 3, 0, 3<<3 | 2, byte(len(metadata))}, metadata...) // kind, checksum and data
	log := binary.LittleEndian.AppendUint64(nil, uint64(len(record)))
	database := filepath.Join(dir, "member", "snap", "db")
	lie(t, map[string]string{filepath.Join(dir, "member", "wal", "0-0.wal"): string(log) + string(record), database: ""})
	db, err := bbolt.Open(database, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucket([]byte("meta"))
		if err != nil {
			return err
		}
		return errors.Join(meta.Put([]byte("term"), binary.BigEndian.AppendUint64(nil, h.Term)),
			meta.Put([]byte("consistent_index"), binary.BigEndian.AppendUint64(nil, h.Index)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
