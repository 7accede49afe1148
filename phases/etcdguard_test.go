package phases

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"tripod.dev/tripod/internal/etcd"
)

// storesMembers writes the data of an etcd that has ended, with members of those names. Its database can be opened as by a
// process that runs.
func storesMembers(t *testing.T, m Master, names ...string) (path string) {
	t.Helper()
	path = filepath.Join(m.Paths.EtcdData, "member", "snap", "db")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucketIfNotExists([]byte("members"))
		for i, name := range names {
			member := map[string]any{"id": i + 1, "name": name, "peerURLs": []string{"https://127.66.0.9:2380"}}
			if name == m.Node.Registration.Name {
				member["peerURLs"] = []string{m.peerURL()}
			}
			data, _ := json.Marshal(member)
			err = errors.Join(err, bucket.Put([]byte(name), data))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// stops has etcd stopped for another configuration, and returns what is left of its manifests.
func (s stage) stops(t *testing.T, change ...func(*Site)) (left []string, err error) {
	t.Helper()
	m := s.living(t, otherEtcd)
	changes, err := makeWay(m)
	if err != nil || len(changes) != 1 {
		t.Fatal(changes, err)
	}
	site := s.site
	site.back, site.tell = &retreats{}, func(string) {}
	for _, f := range change {
		f(&site)
	}
	err = changes[0].Do(t.Context(), site)
	for _, name := range []string{"etcd.yaml", "kube-apiserver.yaml"} {
		if _, there, _ := s.site.Host.Read(filepath.Join(s.c.Paths.Manifests, name)); there {
			left = append(left, name)
		}
	}
	if ways := site.back.whole(func(retreat) bool { return false }); len(ways)+len(left) != 2 {
		t.Errorf("%v is left, and there are %d ways back", left, len(ways))
	}
	return left, err
}

// A member of which nobody can say whether the others do without it is not stopped, nor what needs it. One that does not run is.
func TestStopOfWhatCanNotBeAsked(t *testing.T) {
	t.Parallel()
	both := []string{"etcd.yaml", "kube-apiserver.yaml"}
	for name, test := range map[string]struct {
		stored  []string
		running bool
		left    []string
		says    string
	}{
		"nothing is known":            {nil, false, both, "no etcd member answers"},
		"it runs, and is silent":      {[]string{"node-1"}, true, both, "no etcd member answers"},
		"it is the only one":          {[]string{"node-1"}, false, nil, ""},
		"it does not run, as nobody":  {[]string{"node-1", "node-2", "node-3"}, false, nil, ""},
		"it is none of the members":   {[]string{"node-2"}, false, both, "etcd does not count this master among its members"},
		"it runs, and others do, too": {[]string{"node-1", "node-2"}, true, both, "bring etcd back"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := grown(t, "")
			if test.stored != nil {
				path := storesMembers(t, Master{Config: s.c}, test.stored...)
				if test.running {
					db, err := bbolt.Open(path, 0o600, nil)
					if err != nil {
						t.Fatal(err)
					}
					defer db.Close()
				}
			}
			left, err := s.stops(t)
			var unfit *PreflightError
			if test.says == "" && err != nil || test.says != "" && (!errors.As(err, &unfit) || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("%v, want %q", err, test.says)
			}
			if !slices.Equal(left, test.left) {
				t.Errorf("left is %v, want %v", left, test.left)
			}
		})
	}
}

// Who has stood still for longer than its lock lasts takes nothing away any more.
func TestStopAfterTheTurn(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	storesMembers(t, Master{Config: s.c}, "node-1")
	left, err := s.stops(t, func(site *Site) {
		site.held = func(context.Context) error { return etcd.ErrLockLost }
	})
	if !errors.Is(err, etcd.ErrLockLost) || len(left) != 2 {
		t.Errorf("%v, and %v is left", err, left)
	}
}
