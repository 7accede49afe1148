package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Note appends an entry to the journal at path without the lock, as those do that carry out no plan and may run beside one who
// does: in one write, that begins a line of its own. Where there is no directory for it, as on the machine of an
// administrator, or not for this user, nothing is noted.
func (h *Host) Note(path string, e Entry) error {
	if e.Time.IsZero() {
		e.Time = Now().UTC()
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	f, err := os.OpenFile(h.Path(path), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission):
		return nil
	case err != nil:
		return fmt.Errorf("open journal %s: %w", path, explain(err, path))
	}
	defer f.Close()
	line = append(line, '\n')
	if !endsLine(f) {
		line = append([]byte("\n"), line...)
	}
	if _, err := f.Write(line); err != nil {
		return fmt.Errorf("write journal: %w", explain(err, path))
	}
	return f.Sync()
}

// endsLine says whether what is appended to the file begins a line.
func endsLine(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return true
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return err == nil && last[0] == '\n'
}
