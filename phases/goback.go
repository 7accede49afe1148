package phases

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-multierror"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

const (
	// headStart is how long what needs another component waits for it: an apiserver without etcd dies after 20 s, and what has
	// died comes later.
	headStart = 20 * time.Second
	// answersAgain is how long is waited for what did not answer before the change either.
	answersAgain = 10 * time.Second
)

// errAbandoned ends a way back that nobody waits for any more.
var errAbandoned = errors.New("interrupted once more: what ran before lies there again, and was not proved")

// WentBackError is a change that has failed, after which what ran before runs again and is proved healthy.
type WentBackError struct{ Err error }

func (e *WentBackError) Error() string { return e.Err.Error() }
func (e *WentBackError) Unwrap() error { return e.Err }

// goBack puts back what the run has replaced and not proved, proves it, and passes the cause on. The interrupt that has ended the
// run does not keep it from that: a master whose manifests are taken away would stay without. The next one does, and finds
// all files back.
func (a Application) goBack(ctx context.Context, cause error) error {
	ways := a.back.whole(a.otherImage)
	lasting, stop := a.untilAbandoned(ctx)
	defer stop()
	if len(ways) == 0 {
		a.condemn(lasting, cause)
		return cause
	}
	prober := NewProber(a.Master.before())
	defer prober.Close()
	if err := a.makeRoom(lasting, ways); err != nil {
		cause = multierror.Append(cause, fmt.Errorf("ending what has failed: %w", err))
	}
	err := a.putAllBack(lasting, prober, ways)
	switch {
	case lasting.Err() != nil: // the generation stays under way: the next run goes on
		return multierror.Append(cause, context.Cause(lasting))
	case err != nil:
		cause = multierror.Append(cause, err)
		a.condemn(lasting, cause)
		return cause
	}
	a.condemn(lasting, cause)
	return &WentBackError{cause}
}

// untilAbandoned ends by the first interrupt that comes once the way back has begun.
func (a Application) untilAbandoned(ctx context.Context) (context.Context, func()) {
	lasting, abandon := context.WithCancelCause(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	interrupt := ctx.Done()
	if ctx.Err() != nil {
		interrupt = a.Abandoned
	}
	go func() {
		select {
		case <-interrupt:
			abandon(errAbandoned)
		case <-ended:
		}
	}()
	return lasting, func() {
		close(ended)
		abandon(nil)
	}
}

// otherImage says whether what lies there now of a component is of another image than its way back, which another version is.
func (a Application) otherImage(way retreat) bool {
	component := way.proof.Component
	f, there, err := a.Host.Read(manifestPath(a.Master, component))
	old := way.old[len(way.old)-1]
	return err == nil && there && manifests.Images(f.Data)[component] != manifests.Images(old.Data)[component]
}

// makeRoom ends the pods in whose place the earlier ones come back.
func (a Application) makeRoom(ctx context.Context, ways []retreat) error {
	if a.Kubelet == nil {
		return nil
	}
	a.Kubelet.Expect(nil, nil) // other images than those of the change
	forget := a.Kubelet.Forget
	var components []string
	var errs []error
	for _, way := range ways {
		path := manifestPath(a.Master, way.proof.Component)
		if _, there, err := a.Host.Read(path); err != nil || there {
			forget = a.Kubelet.ForgetBegun
		}
		components = append(components, way.proof.Component)
		errs = append(errs, a.Host.Remove(path))
	}
	return errors.Join(append(errs, forget(ctx, components...))...)
}

// putAllBack puts all back side by side, each as soon as what it needs is there, or has been waited for long enough.
func (a Application) putAllBack(ctx context.Context, prober *Prober, ways []retreat) error {
	there := map[string]chan struct{}{}
	for _, way := range ways {
		there[way.proof.Component] = make(chan struct{})
	}
	var all multierror.Group
	for _, way := range ways {
		w := &waiter{Application: a, prober: prober, step: Step{Phase: way.phase, Proof: way.proof}, begun: time.Now()}
		all.Go(func() error {
			defer close(there[way.proof.Component])
			begins(ctx, there[neededBy(way.proof.Component)])
			if err := w.putBack(ctx, way.old); err != nil {
				return fmt.Errorf("%s: %w", way.phase, err)
			}
			return nil
		})
	}
	return all.Wait().ErrorOrNil()
}

// neededBy is the component without which another does not come up.
func neededBy(component string) string {
	return map[string]string{"kube-apiserver": "etcd", "kube-controller-manager": "etcd", "kube-scheduler": "kube-apiserver"}[component]
}

// begins returns when what is needed is there; at once where it does not go back, or nobody waits for anything any more.
func begins(ctx context.Context, needed <-chan struct{}) {
	if needed == nil {
		return
	}
	select {
	case <-needed:
	case <-time.After(headStart):
	case <-ctx.Done():
	}
}

// putBack writes the earlier files and waits until what they make is healthy again. What was not healthy before either is not
// waited for as if it could be.
func (w *waiter) putBack(ctx context.Context, old []host.File) error {
	component, undone := w.step.Proof.Component, time.Now()
	if err := w.Host.Commit(context.WithoutCancel(ctx), unexpired(old, host.Now())...); err != nil {
		return fmt.Errorf("putting back the earlier %s: %w", component, err)
	}
	host.Killpoint("put back " + component)
	before := w.Master.unprovable(component)
	if before != nil {
		w.step.Proof.Within = func(Master) time.Duration { return answersAgain }
	}
	if err := w.wait(ctx, undone); err != nil && before != nil {
		return fmt.Errorf("the earlier %s is back, and was not healthy before the change either: %w", component, before)
	} else if err != nil {
		return fmt.Errorf("the earlier %s is back, but: %w", component, err)
	}
	w.tell(Restored, "the earlier "+component+" is back and healthy")
	return nil
}

// unprovable is why what ran of a component when the facts were read could not be proved then; nil if it could. What a killed run
// has replaced was proved before that.
func (m Master) unprovable(component string) error {
	if m.Living == nil {
		return nil
	}
	known, _ := m.settled()
	now, there := m.revision(component)
	if was, kept := known.Components[component]; kept && known.Verdict == Healthy && (!there || !now.same(was)) && m.newest().Verdict == UnderWay {
		return nil
	}
	if err := m.Living.Unwell[component]; err != nil {
		return err
	}
	runs, asked := m.Running[component]
	if lies := manifests.RevisionOf(m.earlierManifest(component)); asked && runs.Revision != lies {
		return fmt.Errorf("revision %s ran, not %s", orNone(runs.Revision), orNone(lies))
	}
	return nil
}

// strangers finds components that answer although whoever runs the pods here knows of no pod of theirs: what comes in
// their place could not be proved, nor what would come back.
func strangers(m Master) []finding {
	var found []finding
	for _, component := range manifests.Components() {
		pod, asked := m.Running[component]
		unknown := m.Alive && asked && pod.State == "" && pod.Revision == ""
		answers := m.Living.Unwell[component] == nil && len(m.Manifests[component+".yaml"]) > 0
		if !unknown || !answers || skipped(m, componentPhase(component)) {
			continue
		}
		found = append(found, finding{id: "Pod-" + component,
			problem: fmt.Sprintf("%s answers, but no pod of it is known here: what is changed could not be proved", component),
			hint:    "is the kubelet's node name another than " + m.Node.Registration.Name + ", or does it run outside of the kubelet?"})
	}
	return found
}
