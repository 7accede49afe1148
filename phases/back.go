package phases

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// A retreat is the way back of one component: what lay on disk of it before this run.
type retreat struct {
	phase string
	proof Proof
	// old are its files in the order in which they are written, the manifest last.
	old []host.File
}

// retreats are the ways back of what a run has replaced and not proved yet.
type retreats struct {
	mu  sync.Mutex
	all []retreat
}

// add notes what is about to be taken away. What was taken away by an earlier step has the older files.
func (r *retreats) add(ways ...retreat) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, way := range ways {
		if !slices.ContainsFunc(r.all, func(known retreat) bool { return known.proof.Component == way.proof.Component }) {
			r.all = append(r.all, way)
		}
	}
}

// drop forgets the way back of a component that is proved.
func (r *retreats) drop(component string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = slices.DeleteFunc(r.all, func(known retreat) bool { return known.proof.Component == component })
}

// has says whether the component is taken away, and not proved again.
func (r *retreats) has(component string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.all, func(known retreat) bool { return known.proof.Component == component })
}

// inOrder are the ways back, the component first that others need.
func (r *retreats) inOrder() []retreat {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clone(r.all)
	rank := func(way retreat) int { return slices.Index(manifests.Components(), way.proof.Component) }
	slices.SortStableFunc(all, func(a, b retreat) int { return rank(a) - rank(b) })
	return all
}

// retreats are the ways back of what the step replaces.
func (s Step) retreats() []retreat {
	own := retreat{phase: s.Phase, proof: s.Proof}
	for _, c := range s.Changes {
		own.old = append(own.old, c.old...)
	}
	if s.Proof.Component == "" || len(own.old) == 0 {
		return nil
	}
	return []retreat{own}
}

// halfway are the ways back of what a killed run has replaced or taken away, where it is not healthy: to what ran before that
// run, not to what it has left on disk. What is healthy by now counts as proved.
func (m Master) halfway() []retreat {
	known, _ := m.settled()
	if m.Living == nil || m.newest().Verdict != UnderWay || m.Living.Back != nil && m.Living.Back.Number == known.Number {
		return nil
	}
	var ways []retreat
	for _, component := range manifests.Components() {
		was, kept := known.Components[component]
		now, _ := m.revision(component)
		if kept && !now.same(was) && m.Living.Unwell[component] != nil {
			ways = append(ways, retreat{phase: componentPhase(component), proof: componentProof(component), old: was.host()})
		}
	}
	return ways
}

// WentBackError is a change that has failed, after which what ran before runs again and is proved healthy.
type WentBackError struct{ Err error }

func (e *WentBackError) Error() string { return e.Err.Error() }
func (e *WentBackError) Unwrap() error { return e.Err }

// goBack puts back what the run has replaced and not proved, proves it, and passes the cause on. An interrupt does not
// keep it from that: a master whose manifests are taken away would stay without.
func (a Application) goBack(ctx context.Context, cause error) error {
	ways := a.back.inOrder()
	ctx = context.WithoutCancel(ctx)
	if len(ways) == 0 {
		a.condemn(ctx, cause)
		return cause
	}
	prober := NewProber(a.Master.before())
	defer prober.Close()
	if err := a.makeRoom(ctx, ways); err != nil {
		cause = multierror.Append(cause, fmt.Errorf("ending what has failed: %w", err))
	}
	healthy := true
	for _, way := range ways {
		w := &waiter{Application: a, prober: prober, step: Step{Phase: way.phase, Proof: way.proof}, begun: time.Now()}
		if err := w.putBack(ctx, way.old); err != nil {
			cause, healthy = multierror.Append(cause, fmt.Errorf("%s: %w", way.phase, err)), false
		}
	}
	a.condemn(ctx, cause)
	if healthy {
		return &WentBackError{cause}
	}
	return cause
}

// condemn remembers why the generation that was under way has failed. Where that can't be written, as on a full disk, the
// cause is told all the same, and the next run finds a generation that is under way.
func (a Application) condemn(ctx context.Context, cause error) {
	if g, err := ReadGenerations(a.Host, a.Master.Config); a.Master.Living != nil && err == nil && len(g) > 0 && g[len(g)-1].Verdict == UnderWay {
		_ = a.Master.judgeGeneration(ctx, a.Site, Refused, cause.Error())
	}
}

// makeRoom ends the pods in whose place the earlier ones come back.
func (a Application) makeRoom(ctx context.Context, ways []retreat) error {
	if a.Kubelet == nil {
		return nil
	}
	a.Kubelet.Expect(nil, nil) // other images than those of the change
	var components []string
	var errs []error
	for _, way := range ways {
		components = append(components, way.proof.Component)
		errs = append(errs, a.Host.Remove(manifestPath(a.Master, way.proof.Component)))
	}
	return errors.Join(append(errs, a.Kubelet.Forget(ctx, components...))...)
}

// putBack writes the earlier files and waits until what they make is healthy again.
func (w *waiter) putBack(ctx context.Context, old []host.File) error {
	component, undone := w.step.Proof.Component, time.Now()
	if err := w.Host.Commit(ctx, unexpired(old, host.Now())...); err != nil {
		return fmt.Errorf("putting back the earlier %s: %w", component, err)
	}
	host.Killpoint("put back " + component)
	if err := w.wait(ctx, undone); err != nil {
		return fmt.Errorf("the earlier %s is back, but: %w", component, err)
	}
	w.tell(Restored, "the earlier "+component+" is back and healthy")
	return nil
}

// before is the master as it was when the facts were read, for asking what ran then.
func (m Master) before() Master {
	if m.Living != nil {
		earlier := *m.Living
		earlier.Earlier = true
		m.Config, m.Living = m.Living.Was, &earlier
	}
	return m
}
