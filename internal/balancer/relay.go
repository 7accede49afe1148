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
	// quietFor is how long nothing is said after an answer on a connection where nobody waits for one.
	quietFor = 10 * time.Millisecond
	// settled is the age from which on a connection is ended: a younger one may be about to ask for the first time.
	settled = time.Second
	// quietWithin is how long such a moment is waited for.
	quietWithin = 3 * time.Second
)

// relay passes on what a client and a server say.
type relay struct {
	client, server *net.TCPConn
	began          time.Time
	// asked and answered are when they last said something, in nanoseconds since 1970.
	asked, answered atomic.Int64
	ending, dropped atomic.Bool
}

// run passes on until both have said all, or one is gone.
func (r *relay) run() {
	defer r.client.Close()
	defer r.server.Close()
	var both sync.WaitGroup
	both.Go(func() { forward(r.client, heard{r.server, &r.answered}) })
	both.Go(func() { forward(r.server, heard{r.client, &r.asked}) })
	both.Wait()
}

// forward passes on what one end says, and that it has said all. A connection that breaks is broken for the other end too.
func forward(to *net.TCPConn, from heard) {
	if _, err := io.Copy(to, from); err != nil {
		reset(to, from.TCPConn)
		return
	}
	_ = to.CloseWrite() // fails if it is gone already, which its own direction finds out
}

// heard notes when something is said.
type heard struct {
	*net.TCPConn
	at *atomic.Int64
}

func (h heard) Read(p []byte) (int, error) {
	n, err := h.TCPConn.Read(p)
	h.at.Store(time.Now().UnixNano())
	return n, err
}

// WriteTo has every read be noted: the connection's own would pass bytes on within the kernel.
func (h heard) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{h})
}

// end ends the relay in a moment in which all that was asked is answered. If none comes it goes on.
func (r *relay) end(ctx context.Context) {
	if !r.ending.CompareAndSwap(false, true) {
		return
	}
	defer r.ending.Store(false)
	ctx, stop := context.WithTimeout(ctx, quietWithin)
	defer stop()
	for ctx.Err() == nil {
		if answered := r.answered.Load(); time.Since(r.began) > settled && answered > r.asked.Load() && time.Since(time.Unix(0, answered)) > quietFor {
			_ = r.client.Close()
			_ = r.server.Close()
			return
		}
		pause(ctx, quietFor/4)
	}
}

// reset breaks connections: their ends see an error, and not the end of what was said.
func reset(conns ...*net.TCPConn) {
	for _, c := range conns {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
}
