package agent

import (
	"context"
	"time"
)

type verdict int

const (
	undecided verdict = iota // too few results of one kind in a row
	passed
	failed
)

// tally counts equal results in a row. The zero value has seen none.
type tally struct {
	failing bool
	run     int
}

// add counts one result; past the probe's threshold every further one is a verdict again.
func (t *tally) add(p *probe, err error) verdict {
	if failing := err != nil; failing != t.failing {
		*t = tally{failing: failing}
	}
	t.run++
	switch {
	case t.failing && t.run >= p.Failures:
		return failed
	case !t.failing && t.run >= p.Successes:
		return passed
	}
	return undecided
}

// result is that of one attempt.
type result struct {
	probe   *probe
	err     error
	verdict verdict
}

// final is true if no further attempt is made on the same container, as by the kubelet's prober.
func (r result) final() bool {
	switch r.probe.Kind {
	case "startup":
		return r.verdict != undecided
	case "liveness":
		return r.verdict == failed
	}
	return false
}

// run probes a container that started at since, until the context ends or a result is final.
func (p *probe) run(ctx context.Context, since time.Time, out chan<- result) {
	timer := time.NewTimer(max(0, time.Until(since.Add(p.Delay))))
	defer timer.Stop()
	var count tally
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		next := time.Now().Add(p.Period)
		r := p.attempt(ctx, &count)
		select {
		case <-ctx.Done():
			return
		case out <- r:
		}
		if r.final() {
			return
		}
		timer.Reset(max(0, time.Until(next)))
	}
}

func (p *probe) attempt(ctx context.Context, count *tally) result {
	err := p.once(ctx)
	return result{probe: p, err: err, verdict: count.add(p, err)}
}
