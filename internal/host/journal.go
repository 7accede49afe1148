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

// Unreadable is the status of a line that is no entry: a crash or a full disk has torn it, or the disk has damaged it.
// That something was done is all that it says.
const Unreadable = "unreadable"

// Journal is an append-only file of entries, one JSON object a line, on disk when Append
// returns. Phases that run side by side may append at the same time; processes must not:
// the lock sees to that.
type Journal struct {
	// Damaged are the numbers of the lines, from 1, that were unreadable when it was opened.
	Damaged []int

	mu   sync.Mutex
	file *os.File
	torn bool // what was written last may lack its newline
}

// Journal opens the journal at path, whose directory has to be there.
func (h *Host) Journal(path string) (*Journal, error) {
	f, err := os.OpenFile(h.Path(path), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal %s: %w", path, explain(err, path))
	}
	data, err := os.ReadFile(f.Name())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open journal %s: %w", path, bare(err)), f.Close())
	}
	j := &Journal{file: f}
	for i, e := range parseJournal(data) {
		if e.Status == Unreadable {
			j.Damaged = append(j.Damaged, i+1)
		}
	}
	if whole := bytes.LastIndexByte(data, '\n') + 1; whole < len(data) {
		j.torn = f.Truncate(int64(whole)) != nil
	}
	return j, nil
}

// Append writes an entry, or nothing: what a full disk takes of it is taken back, so that it tears no later entry.
func (j *Journal) Append(e Entry) error {
	if e.Time.IsZero() {
		e.Time = Now().UTC()
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err = j.write(append(line, '\n')); err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("write journal: %w", explain(err, j.file.Name()))
	}
	return nil
}

// write writes a line, which begins a new one whatever was written before.
func (j *Journal) write(line []byte) error {
	if j.torn {
		line = append([]byte("\n"), line...)
	}
	before, err := j.file.Stat()
	if err != nil {
		return err
	}
	if _, err = j.file.Write(line); err != nil {
		j.torn = j.file.Truncate(before.Size()) != nil
		return err
	}
	j.torn = false
	return nil
}

// Close closes the file.
func (j *Journal) Close() error { return j.file.Close() }

// ReadJournal reads all entries of the journal at path, none if there is no journal. A line that is none is one with the
// status Unreadable, or nothing if it is the last and has no end.
func (h *Host) ReadJournal(path string) ([]Entry, error) {
	f, _, err := h.Read(path)
	if err != nil {
		return nil, err
	}
	return parseJournal(f.Data), nil
}

func parseJournal(data []byte) []Entry {
	var entries []Entry
	for line := range bytes.Lines(data[:bytes.LastIndexByte(data, '\n')+1]) {
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			e = Entry{Status: Unreadable}
		}
		entries = append(entries, e)
	}
	return entries
}
