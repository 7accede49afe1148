package balancer

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// quietFor is how long nothing is said on a connection that can be ended without cutting an answer.
	quietFor = 10 * time.Millisecond
	// quietWithin is how long such a moment is waited for.
	quietWithin = 500 * time.Millisecond
)

// relay passes on what two ends say.
type relay struct {
	a, b *net.TCPConn
	// said is when one of them said something, in nanoseconds since 1970.
	said atomic.Int64
}

func newRelay(a, b *net.TCPConn) *relay { return &relay{a: a, b: b} }

// run passes on until both have said all, or one is gone.
func (r *relay) run() {
	defer r.a.Close()
	defer r.b.Close()
	var both sync.WaitGroup
	both.Go(func() { r.forward(r.a, r.b) })
	both.Go(func() { r.forward(r.b, r.a) })
	both.Wait()
}

// forward passes on what one end says, and that it has said all. A connection that breaks is broken for the other end too.
func (r *relay) forward(to, from *net.TCPConn) {
	if _, err := io.Copy(to, heard{from, r}); err != nil {
		reset(to, from)
		return
	}
	_ = to.CloseWrite() // fails if it is gone already, which its own direction finds out
}

// heard notes when something is said.
type heard struct {
	io.Reader
	relay *relay
}

func (h heard) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	h.relay.said.Store(time.Now().UnixNano())
	return n, err
}

// end ends the relay in a quiet moment, or when none has come in time, or ctx is over.
func (r *relay) end(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, quietWithin)
	defer stop()
	for time.Since(time.Unix(0, r.said.Load())) < quietFor && ctx.Err() == nil {
		pause(ctx, quietFor/4)
	}
	_ = r.a.Close()
	_ = r.b.Close()
}

// reset breaks connections: their ends see an error, and not the end of what was said.
func reset(conns ...*net.TCPConn) {
	for _, c := range conns {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
}
