package agent

import (
	"context"
	"time"

	"tripod.dev/tripod/internal/host"
)

// attend watches over one process until its end, which it brings itself if the pod is not wanted any more or a
// probe says so (unhealthy). It returns nil when the agent goes away.
func (l *life) attend(ctx context.Context, proc *process) (end *ExitState, unhealthy bool) {
	probing, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result)
	l.began(proc)
	l.probeFirst(probing, proc.mark.Started, results)
	for {
		select {
		case end := <-proc.exited:
			return &end, false
		case <-ctx.Done():
			return nil, false
		case <-l.stop:
			cancel()
			return l.finish(ctx, proc, "the manifest has changed or is gone", l.pod.Grace), false
		case r := <-results:
			if l.judge(r) {
				cancel()
				return l.finish(ctx, proc, probeFailure(r), r.probe.Grace), true
			}
			if r.probe.Kind == "startup" && r.verdict == passed {
				l.probeRest(probing, proc.mark.Started, results)
			}
		}
	}
}

// began reports the process.
func (l *life) began(proc *process) {
	c := &l.container
	c.State, c.Reason, c.NextStart, c.Adopted = host.Started, "", nil, proc.adopted
	c.PID, c.StartedAt, c.Restarts, c.Log = proc.pid, proc.mark.Started, proc.mark.Restarts, proc.mark.Log
	clear(c.Probes)
	l.setStarted(l.pod.Startup == nil)
	l.log.Info("container runs", "pod", l.pod.key(), "pid", proc.pid, "restarts", c.Restarts, "revision", c.Revision, "adopted", c.Adopted)
}

// setStarted reports whether the container has started, which makes it ready if nothing else is asked.
func (l *life) setStarted(started bool) {
	l.container.Started = started
	l.container.Ready = started && l.pod.Readiness == nil
	l.report()
}

// probeFirst starts the startup probe, or the others if there is none.
func (l *life) probeFirst(ctx context.Context, since time.Time, results chan<- result) {
	if l.pod.Startup == nil {
		l.probeRest(ctx, since, results)
		return
	}
	go l.pod.Startup.run(ctx, since, results)
}

func (l *life) probeRest(ctx context.Context, since time.Time, results chan<- result) {
	for _, p := range []*probe{l.pod.Liveness, l.pod.Readiness} {
		if p != nil {
			go p.run(ctx, since, results)
		}
	}
}

// judge reports a result, and is true if the container has to be ended for it.
func (l *life) judge(r result) bool {
	delete(l.container.Probes, r.probe.Kind)
	if r.err != nil {
		l.container.Probes[r.probe.Kind] = r.err.Error()
	}
	switch {
	case r.verdict == undecided:
	case r.probe.Kind == "readiness":
		l.container.Ready = r.verdict == passed
	case r.verdict == failed:
		return true
	case r.probe.Kind == "startup":
		l.setStarted(true)
	}
	l.report()
	return false
}

// finish ends the process and says why.
func (l *life) finish(ctx context.Context, proc *process, why string, grace time.Duration) *ExitState {
	l.container.Ready, l.container.Reason = false, "ending: "+why
	l.report()
	l.log.Info("end container", "pod", l.pod.key(), "pid", proc.pid, "why", why, "grace", grace)
	end := proc.end(ctx.Done(), grace)
	if end != nil {
		end.Message = why
	}
	return end
}
