package phases

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

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
	// Tell gets every event, one at a time.
	Tell func(Event)
	// Abandoned is closed when an interrupt comes after the one that has ended the run: nobody waits for the way back any
	// more. Nil waits for it.
	Abandoned <-chan struct{}

	// back is the way back of what is replaced.
	back *retreats
	// turn is this master's, as long as locked steps follow each other.
	turn *turn
	// proven are the components that are healthy.
	proven *proven
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
	prober.alive = a.Runner.Alive
	a.Tell = inTurn(a.Tell)
	a.api = sync.OnceValues(a.Master.client)
	a.verb, a.back, a.turn, a.proven = a.Verb, &retreats{}, &turn{}, newProven()
	a.back.add(a.Master.halfway()...)
	defer a.turn.end()
	for len(steps) > 0 {
		next := cutAt(steps)
		if err := a.inOrder(ctx, prober, steps[:next]); err != nil {
			return a.goBack(ctx, err)
		}
		steps = steps[next:]
	}
	return nil
}

// cutAt is how many of the steps can be begun before all that goes alongside has to be done.
func cutAt(steps []Step) int {
	if next := slices.IndexFunc(steps[1:], func(s Step) bool { return s.AfterAll }); next >= 0 {
		return next + 1
	}
	return len(steps)
}

// inTurn is tell for those who go alongside each other.
func inTurn(tell func(Event)) func(Event) {
	var mu sync.Mutex
	return func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		tell(e)
	}
}

// eachOnce is tell for those who go alongside each other and find the same.
func eachOnce(tell func(string)) func(string) {
	var told sync.Map
	return func(reason string) {
		if _, before := told.LoadOrStore(reason, true); !before {
			tell(reason)
		}
	}
}

// sweep removes what killed runs left staged, keys perhaps. Only when everything is proved: to a plan of some phases,
// what the others need is a leftover, too (host.ReadPair).
func (a Application) sweep(s Step) error {
	if !s.Sweeps {
		return nil
	}
	return a.Host.Sweep(fileDirs(a.Master.Config)...)
}

// inOrder carries out steps and waits for those that go alongside. The first that fails stops the others.
func (a Application) inOrder(ctx context.Context, prober *Prober, steps []Step) error {
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error {
		for _, s := range steps {
			w := &waiter{Application: a, prober: prober, step: s, begun: time.Now()}
			switch {
			case s.Alongside:
				all.Go(func() error { return w.inTurn(ctx, &turn{}) })
				continue
			case !s.Locked:
				a.turn.end()
			}
			if err := w.inTurn(ctx, a.turn); err != nil {
				return err
			}
		}
		return nil
	})
	return all.Wait()
}

// inTurn carries out a step, a locked one in this master's turn and as it is to be by then.
func (w *waiter) inTurn(ctx context.Context, t *turn) error {
	w.tell(Begun, "")
	if w.step.Late {
		if err := w.late(ctx); err != nil {
			return w.failed(ctx, err)
		}
	}
	if !w.step.Locked || len(w.step.Changes) == 0 && !t.begun {
		return w.carryOut(ctx)
	}
	err := t.begin(ctx, w)
	if err == nil {
		ctx, w.held = t.ctx, t.held
		err = w.anew(ctx)
	}
	if err != nil {
		return w.failed(ctx, err)
	}
	host.Killpoint("in turn for " + w.step.Phase)
	return w.carryOut(ctx)
}

// carryOut makes the changes of the step and waits until it is proved.
func (w *waiter) carryOut(ctx context.Context) error {
	if err := w.change(ctx); err != nil {
		return w.failed(ctx, err)
	}
	if err := w.proved(ctx); err != nil {
		return err
	}
	return w.sweep(w.step)
}

// change makes the changes of the step.
func (w *waiter) change(ctx context.Context) error {
	if len(w.step.Changes) > 0 {
		if err := w.note(Begun); err != nil {
			return err
		}
	}
	host.Killpoint("begin " + w.step.Phase)
	w.back.add(w.step.retreats()...)
	site := w.Site
	site.back = w.back
	site.tell = eachOnce(func(reason string) { w.tell(Waiting, reason) })
	site.warn = func(text string) { w.tell(Warned, text) }
	for _, c := range together(w.step.Changes) {
		if err := c.Do(ctx, site); err != nil {
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
// renamed in their order. Objects that follow each other are applied side by side.
func together(changes []Change) []Change {
	var merged []Change
	for _, c := range changes {
		last := len(merged) - 1
		switch {
		case last >= 0 && c.files() && merged[last].files():
			merged[last].Files = slices.Concat(merged[last].Files, c.Files)
		case last >= 0 && c.online && merged[last].online:
			merged[last].beside = append(merged[last].beside, c)
		default:
			merged = append(merged, c)
		}
	}
	return merged
}

// files is a change that is no more than writing files.
func (c Change) files() bool { return c.do == nil && c.pod == "" }

// waiter carries out one step of a plan.
type waiter struct {
	Application
	prober *Prober
	step   Step
	begun  time.Time
	// reasons are the last two that were told: the probe and the runner may give theirs in turn.
	reasons [2]string
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
		if err := w.wait(ctx, w.begun); err != nil {
			return w.failed(ctx, err)
		}
	}
	host.Killpoint("done " + w.step.Phase)
	w.back.prove(w.step.Proof.Component)
	if kind == Proved && w.step.Proof.Component != "" {
		w.proven.add(w.step.Proof.Component, time.Now())
	}
	w.tell(kind, w.undone())
	if len(w.step.Changes) == 0 {
		return nil
	}
	return w.note(kind)
}

// undone says of a step that would have changed the cluster's API that nothing came of it; "" of any other.
func (w *waiter) undone() string {
	if !w.step.Unproved || w.step.Proof.Attempt != nil {
		return ""
	}
	return "left out: no kubelet runs an apiserver here yet"
}

// failed tells the cause, and passes it on. What was interrupted has not failed.
func (w *waiter) failed(ctx context.Context, cause error) error {
	if ctx.Err() != nil && !lockLost(ctx) {
		return context.Cause(ctx)
	}
	w.tell(Failed, cause.Error())
	if len(w.step.Changes) > 0 {
		w.regret(cause)
	}
	return fmt.Errorf("%s: %w", w.step.Phase, cause)
}

// regret adds to the journal that the step has failed. Where even that is not possible, as on a full disk, the cause counts.
func (w *waiter) regret(cause error) {
	_ = w.Journal.Append(host.Entry{Time: time.Now(), Verb: w.Verb, Phase: w.step.Phase, Status: string(Failed), Error: cause.Error()})
}

// note adds the step to the journal.
func (w *waiter) note(kind Kind) error {
	e := host.Entry{Time: time.Now(), Verb: w.Verb, Phase: w.step.Phase, Status: string(kind)}
	for _, c := range w.step.Changes {
		e.Changes = append(e.Changes, c.String())
	}
	err := w.Journal.Append(e)
	if w.Master.Leaving != nil && host.DiskFull(err) {
		w.tell(Warned, "the disk is full: the journal does not say what is removed")
		return nil
	}
	return err
}

func (w *waiter) tell(kind Kind, text string) {
	w.Tell(Event{Time: time.Now(), Kind: kind, Phase: w.step.Phase, Text: text, Seconds: time.Since(w.begun).Seconds()})
}
