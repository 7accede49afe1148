package phases

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tripod.dev/tripod/internal/etcd"
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

// vigil is one wait for the proof of a step.
type vigil struct {
	*waiter
	begun  time.Time
	looked time.Time  // when the runner was asked last
	since  time.Time  // ends of the container from here on count
	ends   int        // how many did
	told   *host.Exit // the last end that was told
	last   error      // the last reason why not
	runner error      // what the runner says against it, nil for nothing
	same   time.Time  // since when that has been the reason
	nudged bool       // what could be done has been done
	ours   *host.Exit // the end that it brought about, which is no crash

	glanced time.Time       // when the components that were proved before were looked at last
	beside  *UnhealthyError // the one of them that has ended meanwhile
}

// wait attempts the step's proof until it holds, and says why it does not. It gives up when the time
// for health checks is over, or as soon as the container ends in a way that waiting can't cure.
// What ended before since has been told, and may have been mended: it does not count.
func (w *waiter) wait(ctx context.Context, since time.Time) error {
	within := w.Master.Health
	if w.step.Proof.Within != nil {
		within = w.step.Proof.Within(w.Master)
	}
	ctx, stop := context.WithTimeout(ctx, within)
	defer stop()
	now := time.Now()
	v := &vigil{waiter: w, begun: now, looked: now, glanced: now, since: since}
	for {
		err := w.attempt(ctx)
		if err == nil {
			return nil
		}
		var certain final
		if errors.As(err, &certain) {
			return v.unhealthy(err)
		}
		v.because(ctx, err)
		if err := v.nudge(ctx); err != nil {
			v.because(ctx, err)
		}
		if fatal := cmp.Or(v.watch(ctx), v.glance(ctx)); fatal != nil {
			return fatal
		}
		select {
		case <-ctx.Done():
			return v.over(ctx)
		case <-time.After(probeEvery):
		}
	}
}

// nudge helps along what waits for the same too long.
func (v *vigil) nudge(ctx context.Context) error {
	proof := v.step.Proof
	if proof.Nudge == nil || v.nudged || time.Since(v.same) < proof.Patience {
		return nil
	}
	done, err := proof.Nudge(ctx, v.waiter, v.last)
	if done != "" {
		v.nudged = true
		v.tell(Waiting, done)
	}
	return err
}

// attempt asks once: the component is healthy, and what answers is the revision that was written.
func (w *waiter) attempt(ctx context.Context) error {
	if err := w.step.Proof.Attempt(ctx, w.prober); err != nil {
		return err
	}
	component := w.step.Proof.Component
	if component == "" {
		return nil
	}
	want, err := w.wanted()
	if err != nil {
		return err
	}
	now, err := w.Runner.Pod(ctx, component)
	if err != nil {
		return err
	}
	switch {
	case now.Revision != want:
		return fmt.Errorf("healthy, but revision %s runs, not %s", orNone(now.Revision), orNone(want))
	case now.State != host.Started:
		return fmt.Errorf("healthy, but its container does not run (%s)", orNone(string(now.State)))
	}
	return nil
}

// wanted is the revision of the manifest that lies there now, ours or, after going back, the earlier one.
func (w *waiter) wanted() (string, error) {
	path := manifestPath(w.Master, w.step.Proof.Component)
	f, exists, err := w.Host.Read(path)
	if err == nil && !exists {
		err = fmt.Errorf("%s is not there any more", path)
	}
	return manifests.RevisionOf(f.Data), err
}

// watch looks at the container now and then. It fails when waiting can't help any more.
func (v *vigil) watch(ctx context.Context) error {
	if v.step.Proof.Component == "" || time.Since(v.looked) < lookEvery {
		return nil
	}
	v.looked = time.Now()
	now, err := v.Runner.Pod(ctx, v.step.Proof.Component)
	v.runner = err
	switch {
	case errors.Is(err, host.ErrRefused):
		return v.unhealthy(err)
	case errors.Is(err, host.ErrNoImage):
		return v.unhealthy(err)
	case err != nil:
		v.because(ctx, err)
		return nil
	}
	return v.ended(now)
}

// ended tells an end of the container at once. It is final when its cause is known to stay, or when it is not the first.
func (v *vigil) ended(now host.Running) error {
	exit := now.Exit
	if exit == nil || (v.told != nil && exit.At.Equal(v.told.At)) {
		return nil
	}
	counts := exit.At.After(v.since)
	if !counts && now.State == host.Started {
		return nil // it has been started again since
	}
	if want, err := v.wanted(); err != nil || now.Revision != want {
		return nil // the end of what makes room for the new one
	}
	if v.nudged && (v.ours == nil || exit.At.Equal(v.ours.At)) {
		v.ours = exit
		return nil
	}
	v.told = exit
	v.tell(Crashed, crash(v.step.Proof.Component, *exit))
	if !counts {
		return nil
	}
	v.ends++
	if !diagnose(v.Host, *exit).final && v.ends < hopeless {
		return nil
	}
	return v.unhealthy(nil)
}

// over is the error of a wait that ends without proof.
func (v *vigil) over(ctx context.Context) error {
	switch {
	case lockLost(ctx):
		return v.unhealthy(errors.Join(v.last, etcd.ErrLockLost))
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Cause(ctx)
	case v.runner != nil && v.last != nil && !strings.Contains(v.last.Error(), v.runner.Error()):
		return v.unhealthy(fmt.Errorf("%w; %w", v.last, v.runner))
	}
	return v.unhealthy(v.last)
}

// unhealthy is the error, with how the container ended if it did.
func (v *vigil) unhealthy(reason error) error {
	if v.step.Proof.Explain != nil {
		reason = v.step.Proof.Explain(reason)
	}
	hint, reason := v.besides(reason)
	err := &UnhealthyError{Component: cmp.Or(v.step.Proof.Component, v.step.Proof.Of, "the control plane"), After: time.Since(v.begun), Err: reason, Hint: hint}
	if v.told != nil {
		found := diagnose(v.Host, *v.told)
		err.Exit, err.Line, err.Hint = v.told, found.line, found.hint
	}
	return err
}

// because tells why the proof has not been given yet, when that has changed. What fails as the time is over says
// nothing about the component.
func (v *vigil) because(ctx context.Context, err error) {
	if ctx.Err() != nil && v.last != nil {
		return
	}
	if v.last == nil || v.last.Error() != err.Error() {
		v.same = time.Now()
	}
	v.last = err
	if reason := err.Error(); !slices.Contains(v.reasons[:], reason) && ctx.Err() == nil {
		v.reasons = [2]string{reason, v.reasons[0]}
		v.tell(Waiting, reason)
	}
}

func orNone(s string) string { return cmp.Or(s, "none") }
