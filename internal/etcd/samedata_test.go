package etcd

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// A member whose database was changed while it was down is named, and by that one alone.
func TestSameData(t *testing.T) {
	t.Parallel()
	all := trio(t)
	trust, told := all[0].trust("ca"), func(reason string) { t.Error(reason) }
	all[0].dialed(t).fill(t, 8)
	c := all[0].surveyed(t)
	if err := c.SameData(t.Context(), trust, told); err != nil || len(c.healthyVoters()) != 3 {
		t.Fatalf("%v, %+v", err, c)
	}
	damaged := all[1]
	damaged.end(t)
	damaged.tamper(t)
	damaged.run(t)
	_ = damaged.dialed(t)
	c = all[0].surveyed(t)
	odd, there := c.find(func(p Peer) bool { return len(p.ClientURLs) > 0 && p.ClientURLs[0] == damaged.client })
	if !there || len(c.healthyVoters()) != 3 {
		t.Fatalf("%+v", c)
	}
	err := c.SameData(t.Context(), trust, told)
	mentions(t, err, "etcd's data differ on "+odd.Name+", at revision ")
	if !refusal(err) {
		t.Errorf("no refusal: %v", err)
	}
}

// tamper changes one value, as a broken disk does.
func (s *server) tamper(t *testing.T) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(s.data, "member/snap/db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		keys := tx.Bucket([]byte("key"))
		key, value := keys.Cursor().Last()
		return keys.Put(key, []byte(strings.Replace(string(value), "vvvv", "vvwv", 1)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// Who hangs or is too large is told of, and is no disagreement.
func TestSameDataUnknown(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.surveyed(t)
	other := c.Members[0]
	other.Name, other.ClientURLs = "gone", []string{freeURL(t)}
	c.Members = append(c.Members, other)
	var told []string
	tell := func(reason string) { told = append(told, reason) }
	if err := c.SameData(t.Context(), s.trust("ca"), tell); err != nil || len(told) != 1 || !strings.Contains(told[0], "whether gone has the same data as the others is not known: connecting to etcd") {
		t.Errorf("%v, told %q", err, told)
	}
	c.Members[1].DBSize = summedUpTo + 1
	if err := c.SameData(t.Context(), s.trust("ca"), tell); err != nil || len(told) != 2 || !strings.Contains(told[1], "the database of gone has 1024.0 MiB") {
		t.Errorf("%v, told %q", err, told)
	}
}

func TestDisagreement(t *testing.T) {
	t.Parallel()
	sums := func(hashes ...uint32) []sum {
		var all []sum
		for i, p := range of(strings.Repeat("h", len(hashes))).Members {
			all = append(all, sum{of: p, revision: 7, compacted: 3, hash: hashes[i]})
		}
		return all
	}
	compacted, silent, lagging := sums(1, 2, 2), sums(9, 1, 1), sums(1, 2, 1)
	compacted[0].compacted = 5
	silent[0].err = errors.New("too slow")
	lagging[0].compacted = 5
	for name, tt := range map[string]struct {
		sums    []sum
		want    string
		unknown int
	}{
		"same":                 {sums(1, 1, 1), "", 0},
		"one of three":         {sums(1, 1, 2), "etcd's data differ on m3, at revision 7:\n  m1: 00000001\n  m2: 00000001\n  m3: 00000002\nhint: ", 0},
		"one of two":           {sums(1, 2), "differ on m1 and m2, ", 0},
		"all":                  {sums(1, 2, 3), "differ on m1 and m2 and m3, ", 0},
		"compacted meanwhile":  {compacted, "", 2},
		"too slow":             {silent, "", 1},
		"two that can be told": {lagging, "differ on m2 and m3, ", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := disagreement(tt.sums)
			if tt.want != "" {
				mentions(t, err, tt.want)
			} else if err != nil {
				t.Error(err)
			}
			if got := unknown(tt.sums); len(got) != tt.unknown {
				t.Errorf("not known: %q", got)
			}
		})
	}
}
