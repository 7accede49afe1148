package etcd

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// History is how far the data of a member reach that does not run.
type History struct {
	// Cluster and Member are the IDs that its log was begun with.
	Cluster, Member uint64
	// Term and Index are those of the last entry that its database holds. Its log may hold more.
	Term, Index uint64
	// Voters are the IDs of the members that have a vote by the log, whatever a list of members says: promoting one is an
	// entry of the log, and nothing else makes a voter.
	Voters []uint64
}

// String is the last entry, as people compare them.
func (h History) String() string { return fmt.Sprintf("entry %d of term %d", h.Index, h.Term) }

// Beyond says that the data hold what the cluster can't have: they reach further than its members do.
func (h History) Beyond(c Cluster) bool {
	now := c.Reached()
	return h.Term > now.Term || h.Index > now.Index
}

// Reached is how far the members have got by their own accounts.
func (c Cluster) Reached() History {
	now := History{Cluster: c.ID}
	for _, p := range c.Members {
		now.Term, now.Index = max(now.Term, p.RaftTerm), max(now.Index, p.RaftIndex)
	}
	return now
}

// ReadHistory reads how far the data in a data directory reach. The error is ErrRunning while an etcd has them open, and
// fs.ErrNotExist where none has ever run.
func ReadHistory(dataDir string) (h History, err error) {
	err = readDatabase(databasePath(dataDir), func(db database) error {
		_, err := db.bucket("meta", func(key, value []byte) error { return h.take(string(key), value) })
		return err
	})
	if err != nil {
		return History{}, err
	}
	h.Cluster, h.Member, err = logIdentity(filepath.Join(dataDir, "member", "wal"))
	return h, err
}

// take reads a value of the bucket in which etcd keeps what it knows of its own database (server/storage/schema).
func (h *History) take(key string, value []byte) error {
	switch key {
	case "term", "consistent_index":
		if len(value) != 8 {
			return damaged("%s has %d bytes", key, len(value))
		}
		number := binary.BigEndian.Uint64(value)
		if key == "term" {
			h.Term = number
		} else {
			h.Index = number
		}
	case "confState":
		var conf struct {
			Voters []uint64 `json:"voters"`
		}
		if err := json.Unmarshal(value, &conf); err != nil {
			return damaged("%s: %v", key, err)
		}
		h.Voters = conf.Voters
	}
	return nil
}

const (
	// metadataRecord is the kind of the record that says whose log it is; each file of a log begins with a checksum and that
	// (server/storage/wal).
	metadataRecord = 1
	// recordLimit is far more than one of the first records has, in bytes.
	recordLimit = 64 << 10
)

// logIdentity is whose log lies in a directory.
func logIdentity(dir string) (cluster, member uint64, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	if err != nil || len(files) == 0 {
		return 0, 0, fmt.Errorf("reading etcd's log: there is none in %s", dir)
	}
	newest := slices.Max(files)
	if cluster, member, err = fileIdentity(newest); err != nil {
		return 0, 0, fmt.Errorf("reading etcd's log %s: %w", newest, err)
	}
	return cluster, member, nil
}

func fileIdentity(path string) (cluster, member uint64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	for range 2 {
		kind, data, err := readRecord(f)
		if err != nil {
			return 0, 0, err
		}
		if kind != metadataRecord {
			continue
		}
		var metadata etcdserverpb.Metadata
		if err := metadata.Unmarshal(data); err != nil {
			return 0, 0, err
		}
		return metadata.ClusterID, metadata.NodeID, nil
	}
	return 0, 0, errors.New("it does not say whose it is")
}

// readRecord reads a frame: eight bytes, of which the lower seven are the size of the record, the upper one that of what
// fills it up to a multiple of eight; then the record.
func readRecord(from io.Reader) (kind uint64, data []byte, err error) {
	var frame uint64
	if err := binary.Read(from, binary.LittleEndian, &frame); err != nil {
		return 0, nil, err
	}
	size, padding := frame&(1<<56-1), frame>>56&7
	if size > recordLimit {
		return 0, nil, fmt.Errorf("a record of %d bytes", size)
	}
	record := make([]byte, size+padding)
	if _, err := io.ReadFull(from, record); err != nil {
		return 0, nil, err
	}
	return parseRecord(record[:size])
}

// parseRecord reads a walpb.Record: its type (field 1) and its data (field 3); the checksum between them (field 2) is a number, too.
func parseRecord(record []byte) (kind uint64, data []byte, err error) {
	for len(record) > 0 {
		tag, n := binary.Uvarint(record)
		value, m := binary.Uvarint(record[max(n, 0):])
		if n <= 0 || m <= 0 {
			return 0, nil, errors.New("a record that is cut off")
		}
		record = record[n+m:]
		switch tag {
		case 1 << 3: // a number
			kind = value
		case 3<<3 | 2: // bytes, with their number before them
			if value > uint64(len(record)) {
				return 0, nil, errors.New("a record that is cut off")
			}
			data, record = record[:value], record[value:]
		}
	}
	return kind, data, nil
}

// readTries is how often the database of a member that runs is read until it stood still meanwhile. It writes ten times a second at most.
const readTries = 5

// ReadVoters are the IDs of the members that have a vote by the data of a member, whether it runs or not: what a list of
// members says can be changed by who updates a member, and raft is not. What runs may be a tenth of a second further.
func ReadVoters(dataDir string) ([]uint64, error) {
	file, err := os.OpenFile(databasePath(dataDir), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("reading etcd's database: %w", err)
	}
	defer file.Close()
	var voters []uint64
	for range readTries {
		var same bool
		if voters, same, err = votersOf(file); err == nil && same {
			return voters, nil
		}
	}
	if err == nil {
		err = errors.New("it is written all the time")
	}
	return nil, fmt.Errorf("reading %s: %w", file.Name(), err)
}

// votersOf reads a database that may be written meanwhile. Pages that one transaction has freed are overwritten by the
// one after the next at the earliest, so what was read is whole if no more than one has ended.
func votersOf(file *os.File) (voters []uint64, whole bool, err error) {
	info, err := file.Stat()
	if err != nil {
		return nil, false, err
	}
	db, err := newDatabase(file, info.Size())
	if err != nil {
		return nil, false, err
	}
	var h History
	if _, err = db.bucket("meta", func(key, value []byte) error { return h.take(string(key), value) }); err != nil {
		return nil, false, err
	}
	after, err := newDatabase(file, info.Size())
	return h.Voters, after.meta.Tx <= db.meta.Tx+1, err
}
