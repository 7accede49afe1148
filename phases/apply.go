package phases

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sync/errgroup"

	"tripod.dev/tripod/internal/host"
)

// Application is one run of a plan: where, for whom, and who listens.
type Application struct {
	Site
	// Verb is what the user asked for, for the journal: init, sandbox up.
	Verb   string
	Master Master
	// Journal remembers what was begun and done.
	Journal *host.Journal
	// Tell gets every event; phases that go alongside tell theirs at the same time.
	Tell func(Event)
}

// Apply carries the steps out, in order, and proves each before the next begins; those that may
// go alongside are proved by the end. It is the only writer. When it fails or is killed, planning
// and applying again goes on from what there is.
func Apply(ctx context.Context, a Application, steps []Step) error {
	if len(steps) == 0 {
		return nil
	}
	prober := NewProber(a.Master)
	defer prober.Close()
	last := len(steps) - 1 // looks at everything, so it comes when nothing goes alongside any more
	if err := a.inOrder(ctx, prober, steps[:last]); err != nil {
		return err
	}
	return a.inOrder(ctx, prober, steps[last:])
}

// inOrder carries out steps and waits for those that go alongside. The first that fails stops the others.
func (a Application) inOrder(ctx context.Context, prober *Prober, steps []Step) error {
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error {
		for _, s := range steps {
			w := &waiter{Application: a, prober: prober, step: s, begun: time.Now()}
			if err := w.change(ctx); err != nil {
				return w.failed(ctx, err)
			}
			if s.Alongside {
				all.Go(func() error { return w.proved(ctx) })
				continue
			}
			if err := w.proved(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return all.Wait()
}

// change makes the changes of the step.
func (w *waiter) change(ctx context.Context) error {
	w.tell(Begun, "")
	host.Killpoint("begin " + w.step.Phase)
	for _, c := range w.step.Changes {
		if err := w.note(c.String(), "begun"); err != nil {
			return err
		}
		if err := c.Do(ctx, w.Site); err != nil {
			return fmt.Errorf("%s: %w", c.String(), err)
		}
		w.tell(Changed, c.String())
		host.Killpoint("changed " + c.What)
	}
	return nil
}

// proved waits for the step's proof and tells how it ended.
func (w *waiter) proved(ctx context.Context) error {
	kind := Proved
	switch {
	case w.step.Unproved:
		kind = Unproved
	case w.step.Proof.Attempt == nil:
		kind = Done
	default:
		if err := w.wait(ctx); err != nil {
			return w.failed(ctx, err)
		}
	}
	host.Killpoint("done " + w.step.Phase)
	w.tell(kind, "")
	return w.note("", string(kind))
}

// failed puts back what the step has replaced, waits until that is healthy, and passes the cause on.
func (w *waiter) failed(ctx context.Context, cause error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	w.tell(Failed, cause.Error())
	err := fmt.Errorf("%s: %w", w.step.Phase, cause)
	var back []Change
	for _, c := range w.step.Changes {
		if len(c.old) > 0 && w.step.Proof.Component != "" {
			back = append(back, c)
		}
	}
	if len(back) == 0 {
		return err
	}
	for _, c := range back {
		if undoErr := c.Undo(ctx, w.Site); undoErr != nil {
			return multierror.Append(err, fmt.Errorf("putting back %s: %w", c.What, undoErr))
		}
	}
	if backErr := w.wait(ctx); backErr != nil {
		return multierror.Append(err, fmt.Errorf("the earlier %s is back, but: %w", back[0].What, backErr))
	}
	w.tell(Restored, "the earlier "+back[0].What+" is back and healthy")
	return err
}

// note adds a line to the journal.
func (w *waiter) note(change, status string) error {
	return w.Journal.Append(host.Entry{Time: time.Now(), Verb: w.Verb, Phase: w.step.Phase, Change: change, Status: status})
}

func (w *waiter) tell(kind Kind, text string) {
	w.Tell(Event{Time: time.Now(), Kind: kind, Phase: w.step.Phase, Text: text, Seconds: time.Since(w.begun).Seconds()})
}
