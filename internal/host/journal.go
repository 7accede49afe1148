package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Entry is one line of the journal: what was done, by which phase of which verb. It never
// holds contents of files, so it never holds a secret.
type Entry struct {
	// Time is set by Append if it is zero.
	Time  time.Time `json:"time"`
	Verb  string    `json:"verb"`
	Phase string    `json:"phase,omitempty"`
	// Changes are what the phase was to change.
	Changes []string `json:"changes,omitempty"`
	// Status is the writer's word: begun, done, failed.
	Status string `json:"status"`
	// Error is set when it failed.
	Error string `json:"error,omitempty"`
}

// Journal is an append-only file of entries, one JSON object a line, on disk when Append
// returns. Phases that run side by side may append at the same time; processes must not:
// the lock sees to that.
type Journal struct {
	mu   sync.Mutex
	file *os.File
}

// Journal opens the journal at path, whose directory has to be there.
func (h *Host) Journal(path string) (*Journal, error) {
	f, err := os.OpenFile(h.Path(path), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal %s: %w", path, explain(err, path))
	}
	if err := dropTornLine(f); err != nil {
		return nil, errors.Join(fmt.Errorf("open journal %s: %w", path, bare(err)), f.Close())
	}
	return &Journal{file: f}, nil
}

// dropTornLine takes off the end that a crash left without its newline, so that the next
// entry begins a line.
func dropTornLine(f *os.File) error {
	data, err := os.ReadFile(f.Name())
	if err != nil {
		return err
	}
	return f.Truncate(int64(bytes.LastIndexByte(data, '\n') + 1))
}

// Append writes an entry.
func (j *Journal) Append(e Entry) error {
	if e.Time.IsZero() {
		e.Time = time.Now().UTC()
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write journal: %w", bare(err))
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("write journal: %w", bare(err))
	}
	return nil
}

// Close closes the file.
func (j *Journal) Close() error { return j.file.Close() }

// ReadJournal reads all whole entries of the journal at path, none if there is no journal.
func (h *Host) ReadJournal(path string) ([]Entry, error) {
	f, _, err := h.Read(path)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for number, line := range bytes.SplitAfter(f.Data, []byte("\n")) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // torn, or the nothing after the last newline
		}
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("read journal %s: line %d: %w", path, number+1, err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}
