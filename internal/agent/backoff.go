package agent

import "time"

// The kubelet's bounds of the delay between an end and the next start of a container (kubelet.go,
// newCrashLoopBackOff), and the time after which a container counts as stable.
const (
	firstBackOff = 10 * time.Second
	maxBackOff   = 5 * time.Minute
	stableAfter  = 10 * time.Minute
)

// backOff delays restarts. The zero value lets the first restart pass at once.
type backOff struct {
	delay time.Duration // of the next restart
	last  time.Time     // the last restart
}

// until is the moment from which a container that ended may start again.
func (b backOff) until(ended time.Time) time.Time {
	if b.stable(ended) {
		return ended
	}
	return ended.Add(b.delay)
}

// restarted notes the restart at now of a container that had ended.
func (b *backOff) restarted(ended, now time.Time) {
	if b.delay == 0 || b.stable(ended) {
		b.delay = firstBackOff
	} else {
		b.delay = min(2*b.delay, maxBackOff)
	}
	b.last = now
}

func (b backOff) stable(ended time.Time) bool { return ended.Sub(b.last) > stableAfter }
