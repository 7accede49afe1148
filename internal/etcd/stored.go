package etcd

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// ErrRunning is a data directory that an etcd process has open.
var ErrRunning = errors.New("an etcd process has it open")

// storeWithin is the time for the lock of a database. An etcd holds it as long as it runs, so that to wait is no use.
const storeWithin = time.Millisecond

// Stored are the members as the one whose data directory this is knew them when it ended. How they are it does not tell.
// The error is ErrRunning while it runs, and fs.ErrNotExist where it never has.
func Stored(dataDir string) (members []Peer, err error) {
	err = readStore(filepath.Join(dataDir, "member", "snap", "db"), func(tx *bbolt.Tx) error {
		members, err = storedMembers(tx.Bucket([]byte("members")))
		return err
	})
	return members, err
}

// readStore looks into a database that no etcd process has open.
func readStore(path string, look func(*bbolt.Tx) error) (err error) {
	defer func() {
		// bbolt panics on pages that a broken disk has left.
		if broken := recover(); broken != nil {
			err = fmt.Errorf("reading %s: %v", path, broken)
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: storeWithin})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		err = ErrRunning
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	defer db.Close()
	return db.View(look)
}

// storedMembers reads the bucket in which etcd keeps a member by its ID (server/storage/schema/membership.go).
func storedMembers(bucket *bbolt.Bucket) ([]Peer, error) {
	if bucket == nil {
		return nil, nil // it ended before it knew even itself
	}
	var all []Peer
	err := bucket.ForEach(func(_, value []byte) error {
		var m struct {
			ID         uint64   `json:"id"`
			Name       string   `json:"name"`
			PeerURLs   []string `json:"peerURLs"`
			ClientURLs []string `json:"clientURLs"`
			IsLearner  bool     `json:"isLearner"`
		}
		if err := json.Unmarshal(value, &m); err != nil {
			return fmt.Errorf("reading a member: %w", err)
		}
		all = append(all, Peer{ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, Learner: m.IsLearner})
		return nil
	})
	return all, err
}
