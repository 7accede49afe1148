package phases

import (
	"context"
	"fmt"
	"slices"
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
	if len(w.step.Changes) > 0 {
		if err := w.note(Begun); err != nil {
			return err
		}
	}
	host.Killpoint("begin " + w.step.Phase)
	for _, c := range together(w.step.Changes) {
		if err := c.Do(ctx, w.Site); err != nil {
			return err
		}
		host.Killpoint("changed in " + w.step.Phase)
	}
	for _, c := range w.step.Changes {
		w.tell(Changed, c.String())
	}
	return nil
}

// together makes one change of files that follow each other: they are staged and synced side by side and
// renamed in their order.
func together(changes []Change) []Change {
	var merged []Change
	for _, c := range changes {
		last := len(merged) - 1
		if last < 0 || c.do != nil || merged[last].do != nil {
			merged = append(merged, c)
			continue
		}
		merged[last].Files = slices.Concat(merged[last].Files, c.Files)
	}
	return merged
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
	if len(w.step.Changes) == 0 {
		return nil
	}
	return w.note(kind)
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

// note adds the step to the journal.
func (w *waiter) note(kind Kind) error {
	e := host.Entry{Time: time.Now(), Verb: w.Verb, Phase: w.step.Phase, Status: string(kind)}
	for _, c := range w.step.Changes {
		e.Changes = append(e.Changes, c.String())
	}
	return w.Journal.Append(e)
}

func (w *waiter) tell(kind Kind, text string) {
	w.Tell(Event{Time: time.Now(), Kind: kind, Phase: w.step.Phase, Text: text, Seconds: time.Since(w.begun).Seconds()})
}
