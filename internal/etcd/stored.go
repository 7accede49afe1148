package etcd

import (
	"encoding/json"
	"errors"
	"path/filepath"
)

// ErrRunning is a data directory that an etcd process has open.
var ErrRunning = errors.New("an etcd process has it open")

// Stored are the members as the one whose data directory this is knew them when it ended. How they are it does not tell.
// The error is ErrRunning while it runs, and fs.ErrNotExist where it never has.
func Stored(dataDir string) (members []Peer, err error) {
	err = readDatabase(databasePath(dataDir), func(db database) error {
		_, err := db.bucket("members", func(_, value []byte) error {
			member, err := storedMember(value)
			members = append(members, member)
			return err
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return members, nil
}

func databasePath(dataDir string) string { return filepath.Join(dataDir, "member", "snap", "db") }

// storedMember is a member as etcd keeps it by its ID in the bucket of members (server/storage/schema/membership.go). There
// are none as long as it does not know even itself.
func storedMember(value []byte) (Peer, error) {
	var m struct {
		ID         uint64   `json:"id"`
		Name       string   `json:"name"`
		PeerURLs   []string `json:"peerURLs"`
		ClientURLs []string `json:"clientURLs"`
		IsLearner  bool     `json:"isLearner"`
	}
	if err := json.Unmarshal(value, &m); err != nil {
		return Peer{}, damaged("reading a member: %v", err)
	}
	return Peer{ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, Learner: m.IsLearner}, nil
}
