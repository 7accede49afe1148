package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"tripod.dev/tripod/internal/host"
)

// Change changes the record, as it is on disk by then or as s is where there is none yet, while nobody else does. s
// becomes what was written.
func (s *Sandbox) Change(change func(*Sandbox)) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	unlock, err := lock(s.dir)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := Load(filepath.Dir(s.dir), filepath.Base(s.dir))
	if errors.Is(err, ErrNotFound) {
		now, err = *s, nil
	}
	if err != nil {
		return err
	}
	change(&now)
	if err := now.save(); err != nil {
		return err
	}
	*s = now
	return nil
}

// save writes the record, whole or not at all, whatever becomes of the machine meanwhile.
func (s Sandbox) save() error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return host.Open("/").Commit(context.Background(), host.File{Path: filepath.Join(s.dir, record), Mode: 0o600, Data: append(data, '\n')})
}

// lock waits for the directory's lock: who has it writes one small file.
func lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}
