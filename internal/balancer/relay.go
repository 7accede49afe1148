package balancer

import (
	"io"
	"net"
	"sync"
)

// relay passes on what two ends say until both have said all, or one is gone.
func relay(a, b *net.TCPConn) {
	defer a.Close()
	defer b.Close()
	var both sync.WaitGroup
	both.Go(func() { forward(a, b) })
	both.Go(func() { forward(b, a) })
	both.Wait()
}

// forward passes on what one end says, and that it has said all. A connection that breaks is broken for the other end too.
func forward(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		reset(to, from)
		return
	}
	_ = to.CloseWrite() // fails if it is gone already, which its own direction finds out
}

// reset breaks connections: their ends see an error, and not the end of what was said.
func reset(conns ...*net.TCPConn) {
	for _, c := range conns {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
}
