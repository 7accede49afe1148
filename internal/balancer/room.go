package balancer

import (
	"context"
	"syscall"
	"time"
)

const (
	// mostConnections is what the balancer has at most at a time: each takes some memory, be it idle.
	mostConnections = 4096
	// spareFiles are left for what is no connection: checks, the log, the runtime.
	spareFiles = 32
)

// room is how many connections there may be at a time: each is two open files, the client's and the backend's.
func room() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return mostConnections
	}
	return int(max(1, min(mostConnections, (int64(min(files.Cur, 1<<20))-spareFiles)/2)))
}

// enter counts a client in, and makes room for it: where there is none, the connection goes on which nothing has been said
// for the longest time. It is false when the balancer ends first.
func (b *balancer) enter(ctx context.Context) bool {
	for ctx.Err() == nil {
		b.mu.Lock()
		if b.clients < b.most {
			b.clients++
			b.mu.Unlock()
			return true
		}
		idlest := b.idlest()
		b.mu.Unlock()
		if idlest != nil {
			b.log.Warn("there are too many connections: the one that is idle for the longest time is ended", "connections", b.most)
			idlest.drop()
		}
		pause(ctx, time.Millisecond) // until it has gone, or one that is being made is one
	}
	return false
}

// exit counts a client out.
func (b *balancer) exit() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clients--
}

// idlest is the relay on which nothing has been said for the longest time, of those that are not dropped yet; nil if there is
// none. The lock is held.
func (b *balancer) idlest() *relay {
	var idlest *relay
	for _, backend := range b.backends {
		for r := range backend.relays {
			if !r.dropped.Load() && (idlest == nil || r.heard() < idlest.heard()) {
				idlest = r
			}
		}
	}
	return idlest
}

// heard is when something was said last, in nanoseconds since 1970.
func (r *relay) heard() int64 {
	return max(r.began.UnixNano(), r.asked.Load(), r.answered.Load())
}

// drop breaks the relay.
func (r *relay) drop() {
	r.dropped.Store(true)
	reset(r.client, r.server)
}
