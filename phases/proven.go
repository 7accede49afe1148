package phases

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"tripod.dev/tripod/internal/host"
)

// glanceEvery is how often those who wait look at what was proved before.
const glanceEvery = 2 * time.Second

// proven are the components that a run has proved. The end of one of them may be why the next is never healthy.
type proven struct {
	mu    sync.Mutex
	since map[string]time.Time // by component: ends from then on count
	ended map[string]host.Exit // the last that counted
}

func newProven() *proven {
	return &proven{since: map[string]time.Time{}, ended: map[string]host.Exit{}}
}

// add has ends count from that time on.
func (p *proven) add(component string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since[component] = at
}

// others are all but one.
func (p *proven) others(component string) map[string]time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	others := maps.Clone(p.since)
	delete(others, component)
	return others
}

// note says whether an end is new, to be told once whoever else waits.
func (p *proven) note(component string, exit host.Exit) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, known := p.ended[component]
	p.ended[component] = exit
	return !known || !before.At.Equal(exit.At)
}

// glance looks at the components that were proved before, and tells which of them has ended since. It fails if that one can't live:
// nobody is healthy without it.
func (v *vigil) glance(ctx context.Context) error {
	if time.Since(v.glanced) < glanceEvery {
		return nil
	}
	v.glanced = time.Now()
	for component, since := range v.proven.others(v.step.Proof.Component) {
		now, err := v.Runner.Pod(ctx, component)
		if err != nil || now.Exit == nil || !now.Exit.At.After(since) {
			continue
		}
		if want, err := (&waiter{Application: v.Application, step: Step{Proof: Proof{Component: component}}}).wanted(); err != nil || now.Revision != want {
			continue // the end of what was taken away
		}
		if v.proven.note(component, *now.Exit) {
			v.tell(Crashed, crash(component, *now.Exit))
		}
		v.beside = &UnhealthyError{Component: component, Exit: now.Exit}
		found := diagnose(v.Host, *now.Exit)
		v.beside.Line, v.beside.Hint = found.line, found.hint
		if found.final {
			return v.unhealthy(v.last)
		}
	}
	return nil
}

// besides adds to a reason that a component has ended that was healthy before.
func (v *vigil) besides(reason error) (hint string, because error) {
	if v.beside == nil {
		return "", reason
	}
	text, _, _ := strings.Cut(v.beside.Error(), "\nhint: ")
	if reason == nil {
		return v.beside.Hint, errors.New(text)
	}
	return v.beside.Hint, fmt.Errorf("%w; %s", reason, text)
}
