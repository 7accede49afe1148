package phases

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

const (
	// probeEvery is how often a component is asked: a refused connection on loopback costs microseconds.
	probeEvery = 40 * time.Millisecond
	// lookEvery is how often the runner is asked for the container, which costs it some work.
	lookEvery = 400 * time.Millisecond
	// hopeless is how many ends of a container, without a known cause, are waited for: the first may be bad luck.
	hopeless = 2
)

// waiter carries out one step of a plan.
type waiter struct {
	Application
	prober *Prober
	step   Step
	begun  time.Time

	reason string     // the last reason told
	seen   *host.Exit // the last end of the container that was told
	ends   int        // how many ends were told
}

// wait attempts the step's proof until it holds, and says why it does not. It gives up when the time
// for health checks is over, or as soon as the container ends in a way that waiting can't cure.
func (w *waiter) wait(ctx context.Context) error {
	limit := w.Master.Health
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	begun := time.Now()
	before, _ := w.look(ctx)
	w.seen = before.Exit
	for looked := time.Now(); ; {
		err := w.attempt(ctx)
		if err == nil {
			return nil
		}
		if time.Since(looked) > lookEvery {
			looked = time.Now()
			if fatal := w.crashed(ctx, begun); fatal != nil {
				return fatal
			}
		}
		if ctx.Err() == nil {
			w.because(err)
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return context.Cause(ctx)
			}
			return w.unhealthy(begun, err)
		case <-time.After(probeEvery):
		}
	}
}

// attempt asks once: the component is healthy, and what answers is the revision that was written.
func (w *waiter) attempt(ctx context.Context) error {
	if err := w.step.Proof.Attempt(ctx, w.prober); err != nil {
		return err
	}
	if w.step.Proof.Component == "" {
		return nil
	}
	want, err := w.wanted()
	if err != nil {
		return err
	}
	now, err := w.look(ctx)
	if err != nil {
		return err
	}
	if now.State != host.Started || now.Revision != want {
		return fmt.Errorf("healthy, but revision %s runs, not %s", orNone(now.Revision), want)
	}
	return nil
}

// wanted is the revision of the manifest that lies there now, ours or, after going back, the earlier one.
func (w *waiter) wanted() (string, error) {
	path := filepath.Join(w.Master.Paths.Manifests, w.step.Proof.Component+".yaml")
	f, exists, err := w.Host.Read(path)
	if err != nil || !exists {
		return "", fmt.Errorf("%s is not there any more (%w)", path, err)
	}
	return manifests.RevisionOf(f.Data), nil
}

// look asks the runner for the component's container.
func (w *waiter) look(ctx context.Context) (host.Running, error) {
	if w.step.Proof.Component == "" {
		return host.Running{}, nil
	}
	return w.Runner.Pod(ctx, w.step.Proof.Component)
}

// crashed looks at the container: an end is told at once, and is the final error when waiting can't cure it.
func (w *waiter) crashed(ctx context.Context, begun time.Time) error {
	now, err := w.look(ctx)
	if err != nil {
		w.because(err)
		return nil
	}
	if now.Exit == nil || (w.seen != nil && now.Exit.At.Equal(w.seen.At)) {
		return nil
	}
	w.seen = now.Exit
	w.ends++
	w.tell(Crashed, crash(w.step.Proof.Component, *now.Exit))
	hint, final := diagnose(w.Master, *now.Exit)
	if !final && w.ends < hopeless {
		return nil
	}
	return &UnhealthyError{Component: w.step.Proof.Component, After: time.Since(begun), Exit: now.Exit, Hint: hint,
		Err: fmt.Errorf("exit code %d", now.Exit.Code)}
}

// unhealthy is the error of a wait whose time is over.
func (w *waiter) unhealthy(begun time.Time, last error) error {
	err := &UnhealthyError{Component: w.step.Phase, After: time.Since(begun), Err: last}
	if w.seen != nil && w.seen.At.After(begun) {
		err.Component, err.Exit = w.step.Proof.Component, w.seen
		err.Hint, _ = diagnose(w.Master, *w.seen)
	}
	return err
}

// because tells why the proof has not been given yet, when that has changed.
func (w *waiter) because(err error) {
	if reason := err.Error(); reason != w.reason {
		w.reason = reason
		w.tell(Waiting, reason)
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
