package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
	"tripod.dev/tripod/phases"
)

// bringUp is the way of every verb that makes a master: read the facts, plan, and either show the
// plan or apply it.
type bringUp struct {
	verb     string
	config   config.Config
	site     phases.Site
	list     []phases.Phase
	show     showPlan
	progress progress
	// begin is what is written before anything else, under the lock; nil for nothing. A plan that is refused does not come to it.
	begin func() error
	// locked says that the caller has the lock.
	locked bool
	// gather reads the facts; nil is phases.GatherInit.
	gather func(context.Context) (phases.Master, error)
	// confirm is asked what to do with a plan before anything is done; false leaves it at that. Nil for a yes.
	confirm func([]phases.Step) (bool, error)
	// done is told what was brought up, when it is; nil for nobody.
	done func(phases.Master)
}

// run plans and applies. The plan is made before the lock is taken, so that a plan that can't be
// made leaves nothing behind; if another tripod has changed something in between, it is made anew.
func (b bringUp) run(ctx context.Context) (ended []phases.Event, took time.Duration, err error) {
	begun := time.Now()
	for {
		m, steps, err := b.plan(ctx)
		if b.show.wanted() {
			return nil, 0, b.show.plan(steps, err)
		}
		if err != nil {
			return nil, 0, err
		}
		if b.confirm != nil {
			if yes, err := b.confirm(steps); !yes || err != nil {
				return nil, 0, err
			}
		}
		unlock, err := b.lock()
		if err != nil {
			return nil, 0, err
		}
		outdated, err := m.Outdated(b.site.Host)
		if err == nil && !outdated {
			defer unlock()
			ended, err := b.apply(ctx, m, steps)
			if err == nil && b.done != nil {
				b.done(m)
			}
			return ended, time.Since(begun), err
		}
		unlock()
		if err != nil {
			return nil, 0, err
		}
	}
}

func (b bringUp) plan(ctx context.Context) (phases.Master, []phases.Step, error) {
	gather := b.gather
	if gather == nil {
		gather = b.facts
	}
	m, err := gather(ctx)
	if err != nil {
		return phases.Master{}, nil, err
	}
	steps, warnings, err := phases.Plan(b.list, m)
	for _, w := range warnings {
		b.progress.tell(phases.Event{Time: m.Now, Kind: phases.Warned, Phase: "preflight", Text: w})
	}
	return m, steps, err
}

// facts are those of a first master.
func (b bringUp) facts(ctx context.Context) (phases.Master, error) {
	return phases.GatherInit(ctx, b.site, b.config, func(reason string) {
		b.progress.tell(phases.Event{Time: time.Now(), Kind: phases.Waiting, Phase: "preflight", Text: reason})
	})
}

func (b bringUp) lock() (unlock func(), err error) {
	unlock = func() {}
	if !b.locked {
		if err := b.site.Host.Mkdir(b.config.Paths.State, 0o700); err != nil {
			return nil, err
		}
		if unlock, err = b.site.Host.Lock(filepath.Join(b.config.Paths.State, "lock")); err != nil {
			return nil, err
		}
	}
	if b.begin == nil {
		return unlock, nil
	}
	if err := b.begin(); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// apply carries the plan out and returns the events that ended its phases.
func (b bringUp) apply(ctx context.Context, m phases.Master, steps []phases.Step) ([]phases.Event, error) {
	journal, err := b.site.Host.Journal(m.JournalPath())
	if err != nil {
		return nil, err
	}
	defer journal.Close()
	if n := len(journal.Damaged); n > 0 {
		b.progress.tell(phases.Event{Time: host.Now(), Kind: phases.Warned, Phase: "journal", Text: fmt.Sprintf(
			"%d lines of %s are damaged, the first is line %d: what was done then is not known", n, m.JournalPath(), journal.Damaged[0])})
	}
	var ended []phases.Event
	again, stop := interruptedAgain(ctx)
	defer stop()
	err = phases.Apply(ctx, phases.Application{Verb: b.verb, Site: b.site, Master: m, Journal: journal, Abandoned: again, Tell: func(e phases.Event) {
		b.progress.tell(e)
		switch e.Kind {
		case phases.Done, phases.Proved, phases.Unproved:
			ended = append(ended, e)
		}
	}}, steps)
	return ended, err
}

// lap is how long something took.
type lap struct {
	what    string
	seconds float64
}

// laps are how long each phase took.
func laps(ended []phases.Event) []lap {
	var all []lap
	for _, e := range ended {
		all = append(all, lap{e.Phase, e.Seconds})
	}
	return all
}

// durations is the table at the end. On a terminal the lines of the phases still stand there.
func durations(w io.Writer, laps []lap, took time.Duration) {
	if !terminal(w) {
		fmt.Fprintln(w)
		for _, l := range laps {
			fmt.Fprintf(w, "  %-34s %7.2fs\n", l.what, l.seconds)
		}
	}
	fmt.Fprintf(w, "  %-34s %7.2fs\n", "in all", took.Seconds())
}

// realSite is this machine, its kubelet and its container runtime.
func realSite(c config.Config) (phases.Site, error) {
	h := host.Open("/")
	images := map[string]string{}
	for _, component := range manifests.Components() {
		images[component] = c.Image(component)
	}
	kubelet, err := h.NewKubelet(host.KubeletOptions{
		Node: c.Node.Registration.Name, Socket: c.Node.Registration.CRISocket, Images: images, Files: phases.KubeletPaths(c), Dir: c.Paths.Kubelet,
	})
	return phases.Site{Host: h, Runner: kubelet, Kubelet: kubelet}, err
}
