package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// rewatch is how soon a directory that can not be watched is tried again (the kubelet's retryPeriod).
const rewatch = time.Second

// watch yields whenever something has changed in the directory; changes that nobody has taken yet are one. While the
// directory can not be watched (not there, no inotify instance left) it yields every second instead.
func watch(ctx context.Context, dir string, log *slog.Logger) <-chan struct{} {
	changed := make(chan struct{}, 1)
	go func() {
		var last string
		for ctx.Err() == nil {
			err := watchOnce(ctx, dir, changed)
			if err != nil && err.Error() != last {
				last = err.Error()
				log.Warn("manifests are not watched, only listed", "err", err)
			}
			notify(changed)
			pause(ctx, rewatch)
		}
	}()
	return changed
}

// watchOnce watches until the directory goes away. Only its parent tells that: the agent holds the directory open (lock.go), and
// inotify reports the end of an open directory to nobody who watches the directory itself.
func watchOnce(ctx context.Context, dir string, changed chan<- struct{}) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("make inotify: %w", err)
	}
	defer w.Close()
	parent := filepath.Dir(dir)
	for _, path := range []string{parent, dir} {
		if err := w.Add(path); err != nil {
			return fmt.Errorf("watch %s: %w", path, err)
		}
	}
	// What happened before the watch was there.
	notify(changed)
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-w.Events:
			if (event.Name == dir || event.Name == parent) && !event.Has(fsnotify.Chmod) {
				return fmt.Errorf("watch %s: the directory has gone or was replaced", dir)
			}
			if filepath.Dir(event.Name) == dir && !strings.HasPrefix(filepath.Base(event.Name), ".") {
				notify(changed)
			}
		case err := <-w.Errors:
			if err != nil && !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watch %s: %w", dir, err)
			}
			// Events were lost. The list tells what they would have.
			notify(changed)
		}
	}
}

func notify(changed chan<- struct{}) {
	select {
	case changed <- struct{}{}:
	default:
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
