package agent

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/internal/host"
)

// The delays between attempts of a start that never got as far as a process; the kubelet's for volumes
// (nestedpendingoperations).
const (
	firstRetry = 500 * time.Millisecond
	maxRetry   = 2*time.Minute + 2*time.Second
)

// life is one pod from its first start to its end: a changed manifest is another life. It belongs to one
// goroutine; the agent only closes stop.
type life struct {
	settings
	pod   pod
	found *process // runs already, nil if not

	before <-chan struct{} // closed when the life before it under that name is over; nil if there is none
	stop   chan struct{}   // closed when the pod is not wanted any more
	done   chan struct{}   // closed when the life is over

	container ContainerState
	backOff   backOff
	ended     time.Time // the last end, zero if none
}

// settings are what all lives of an agent share.
type settings struct {
	manifests string
	state     string
	board     *board
	log       *slog.Logger
	launch    func(pod, marker) (*process, error)
}

func newLife(s settings, p pod, before <-chan struct{}) *life {
	return &life{
		settings: s, pod: p, before: before,
		stop: make(chan struct{}), done: make(chan struct{}),
		container: ContainerState{Name: p.Container, Revision: p.Revision, Probes: map[string]string{}},
	}
}

// run keeps the pod running as its restart policy says, until stop is closed; when the context ends it returns and
// leaves the process as it is.
func (l *life) run(ctx context.Context) {
	defer close(l.done)
	if !l.follow(ctx) {
		return
	}
	for {
		proc := l.next(ctx)
		if proc == nil {
			break
		}
		end, unhealthy := l.attend(ctx, proc)
		if end == nil {
			return
		}
		l.note(*end)
		if !l.again(end.Code, unhealthy) && !l.rest(ctx) {
			break
		}
	}
	if ctx.Err() == nil {
		l.leave()
	}
}

// follow waits for the life before this one.
func (l *life) follow(ctx context.Context) bool {
	if l.before == nil {
		return true
	}
	select {
	case <-l.before:
		return true
	case <-ctx.Done():
		return false
	}
}

// next is the process to attend to: the one that was found, or a new one after the back-off; nil if the life is over.
func (l *life) next(ctx context.Context) *process {
	if proc := l.found; proc != nil {
		l.found = nil
		return proc
	}
	if l.ended.IsZero() && l.missed() && !l.rest(ctx) {
		return nil
	}
	if !l.hold(ctx, l.backOff.until(l.ended), "back-off") {
		return nil
	}
	for delay := firstRetry; ; delay = min(2*delay, maxRetry) {
		proc, err := l.start()
		if err == nil {
			return proc
		}
		l.notStarted(err)
		if !l.hold(ctx, time.Now().Add(delay), err.Error()) {
			return nil
		}
	}
}

// missed is true if the container has ended for good while no agent was there.
func (l *life) missed() bool {
	if l.pod.Restart != corev1.RestartPolicyNever {
		return false
	}
	book, restarts, err := openLogbook(l.state, l.pod)
	if err != nil || restarts == 0 {
		return false
	}
	l.container.Log = book.file(restarts - 1)
	l.note(ExitState{Code: -1, Reason: "Unknown", Message: "ended while no agent was there"}.withLog(l.container.Log))
	return true
}

// hold waits until the moment has come; false if the life is over.
func (l *life) hold(ctx context.Context, until time.Time, why string) bool {
	delay := time.Until(until)
	if delay > 0 {
		l.container.State, l.container.Reason, l.container.NextStart = host.Waiting, why, &until
		l.report()
	}
	timer := time.NewTimer(max(0, delay))
	defer timer.Stop()
	select {
	case <-l.stop:
		return false
	case <-ctx.Done():
		return false
	case <-timer.C:
		return !closed(l.stop) && ctx.Err() == nil
	}
}

// rest waits for the end of the life of a pod that is not started again; always false.
func (l *life) rest(ctx context.Context) bool {
	select {
	case <-l.stop:
	case <-ctx.Done():
	}
	return false
}

// start launches the next process of the container.
func (l *life) start() (*process, error) {
	book, restarts, err := openLogbook(l.state, l.pod)
	if err != nil {
		return nil, err
	}
	if err := book.trim(); err != nil {
		l.log.Warn("old logs stay", "pod", l.pod.key(), "err", err)
	}
	mark := marker{
		Manifests: l.manifests, Pod: l.pod.key(), Container: l.pod.Container,
		Hash: l.pod.Hash, Revision: l.pod.Revision, Grace: l.pod.Grace,
		Restarts: restarts, Started: time.Now(), Log: book.file(restarts),
	}
	proc, err := l.launch(l.pod, mark)
	if err != nil {
		// The log would count as a restart. It need not be there.
		_ = os.Remove(mark.Log)
		return nil, err
	}
	if err := proc.record(); err != nil {
		l.log.Warn("process is not recorded", "pod", l.pod.key(), "err", err)
	}
	if !l.ended.IsZero() {
		l.backOff.restarted(l.ended, mark.Started)
	}
	return proc, nil
}

// again is true if the container is to be restarted.
func (l *life) again(code int, unhealthy bool) bool {
	switch {
	case closed(l.stop):
		return true // next sees it too, and says that the life is over
	case l.pod.Restart == corev1.RestartPolicyNever:
		return false
	case l.pod.Restart == corev1.RestartPolicyOnFailure:
		return unhealthy || code != 0
	}
	return true
}

// leave takes the pod off the board and its logs out of the way of a new life.
func (l *life) leave() {
	book := logbook{dir: logDir(l.state, l.pod)}
	if err := book.retire(); err != nil {
		l.log.Warn("logs are not put aside", "pod", l.pod.key(), "err", err)
	}
	l.board.runs(l.pod, nil)
	l.log.Info("pod is gone", "pod", l.pod.key(), "revision", l.pod.Revision)
}

// note records an end.
func (l *life) note(end ExitState) {
	l.ended = end.At
	l.container.State, l.container.Reason = host.Exited, end.Message
	l.container.PID, l.container.Started, l.container.Ready = 0, false, false
	l.container.LastExit = &end
	l.report()
	l.log.Info("container ended", "pod", l.pod.key(), "code", end.Code, "reason", end.Reason, "message", end.Message)
}

// notStarted records a start that came to nothing.
func (l *life) notStarted(err error) {
	l.container.LastExit = &ExitState{Code: 128, Reason: "StartError", Message: err.Error(), At: time.Now(), Log: []string{err.Error()}}
	l.log.Error("container does not start", "pod", l.pod.key(), "err", err)
}

func (l *life) report() { l.board.runs(l.pod, l.container.clone()) }

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// probeFailure is what the end that a probe brought is explained with.
func probeFailure(r result) string {
	return fmt.Sprintf("%s probe failed: %v", r.probe.Kind, r.err)
}
