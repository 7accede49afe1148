// Package balancer spreads TCP connections over the apiservers of one cluster, so that the cluster has an address
// that outlives any one master. It passes bytes on as they are: TLS is between the client and the apiserver.
//
// Every backend is asked again and again for /readyz, over TLS that is verified by the cluster's CA. New connections
// go to those that answer 200, the ones with the fewest connections first. A backend that does not take a connection
// is passed over at once, without waiting for the next check. Where none is known to be ready all are tried: a
// cluster that answers nobody's /readyz, or that is asked before the first check has ended, is reached all the same.
// A backend that says that it is not ready any more, as one does that is about to end, is left while others are ready:
// its connections are ended, each in a moment in which all that was asked on it is answered. Those that there are stay
// where they are otherwise, until one end lets go.
// There are no more connections than files may be open: where there is no room for another, the one goes on which nothing
// has been said for the longest time.
//
// It knows nothing of who runs it, nor of how many masters there are: a backend that nobody listens at costs a
// refused connection per check.
package balancer

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// checkEvery is the time between two checks of a backend.
	checkEvery = 200 * time.Millisecond
	// connectWithin bounds a connection to a backend that does not even refuse it.
	connectWithin = time.Second
	// drainWithin is how long connections may go on once the balancer is told to end.
	drainWithin = time.Second
	// acceptAgain is the pause after a connection that could not be taken: there are too many open files, or no memory.
	acceptAgain = 50 * time.Millisecond
)

// Options say what is balanced.
type Options struct {
	// Backends are the apiservers, at least one.
	Backends []netip.AddrPort
	// CA verifies their certificates, which name those addresses.
	CA *x509.CertPool
	// Log is told which backends become ready, and which no longer are; nil is nobody.
	Log *slog.Logger
	// Most is how many connections there may be at a time; 0 for as many as files may be open.
	Most int
}

// Serve takes connections from l until the context ends, and then gives those that there are a second to end by
// themselves. It closes l.
func Serve(ctx context.Context, l *net.TCPListener, o Options) error {
	if len(o.Backends) == 0 {
		return fmt.Errorf("nothing to balance: no backend is given")
	}
	b := newBalancer(o)
	defer b.drain()
	defer b.watch(ctx)()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	defer l.Close()
	for {
		client, err := l.AcceptTCP()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = client.Close()
			}
			return nil
		case err != nil:
			b.log.Error("no connection is taken", "err", err)
			pause(ctx, acceptAgain)
		case !b.enter(ctx):
			_ = client.Close()
		default:
			b.relays.Go(func() {
				defer b.exit()
				b.serve(client)
			})
		}
	}
}

type balancer struct {
	ca  *x509.CertPool
	log *slog.Logger
	// open ends when every connection has to.
	open   context.Context
	close  context.CancelFunc
	relays sync.WaitGroup

	// most is how many clients there may be at a time.
	most int

	mu       sync.Mutex
	clients  int
	backends []*backend // those that were chosen longest ago come first
}

// backend is one apiserver. Its fields but the address belong to the balancer's lock.
type backend struct {
	address string
	ready   bool
	// connections are those that are open, or about to be.
	connections int
	// relays are what they are, with what ends each of them.
	relays map[*relay]bool
}

func newBalancer(o Options) *balancer {
	b := &balancer{ca: o.CA, log: o.Log, most: cmp.Or(o.Most, room())}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.open, b.close = context.WithCancel(context.Background())
	for _, address := range o.Backends {
		b.backends = append(b.backends, &backend{address: address.String(), relays: map[*relay]bool{}})
	}
	return b
}

// drain waits for the end of all connections, and brings it when their time is over.
func (b *balancer) drain() {
	timer := time.AfterFunc(drainWithin, b.close)
	b.relays.Wait()
	timer.Stop()
	b.close()
}

// serve connects a client with a backend for as long as both want.
func (b *balancer) serve(client *net.TCPConn) {
	chosen, server := b.connect()
	if server == nil {
		reset(client) // as near as can be to the refusal of one who does not listen
		return
	}
	defer b.release(chosen)
	defer context.AfterFunc(b.open, func() { reset(client, server) })()
	r := &relay{client: client, server: server, began: time.Now()}
	defer b.keep(chosen, r)()
	r.run()
}

// keep notes a relay of a backend until forget is called.
func (b *balancer) keep(of *backend, r *relay) (forget func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	of.relays[r] = true
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(of.relays, r)
	}
}

// connect connects to the first backend that takes a connection; nil if none does.
func (b *balancer) connect() (*backend, *net.TCPConn) {
	for _, next := range b.order() {
		b.claim(next)
		dialer := net.Dialer{Timeout: connectWithin}
		conn, err := dialer.DialContext(b.open, "tcp", next.address)
		if err == nil {
			return next, conn.(*net.TCPConn)
		}
		b.release(next)
		b.judge(next, err)
	}
	return nil, nil
}

// order is the order in which a new connection tries the backends: those that are ready first, of these the ones with the
// fewest connections, of these the ones that were chosen longest ago. Those that are not ready are the last resort.
func (b *balancer) order() []*backend {
	b.mu.Lock()
	defer b.mu.Unlock()
	order := slices.Clone(b.backends)
	slices.SortStableFunc(order, func(x, y *backend) int {
		return cmp.Or(cmp.Compare(last(x), last(y)), cmp.Compare(x.connections, y.connections))
	})
	return order
}

// last sorts behind the others what is not ready.
func last(b *backend) int {
	if b.ready {
		return 0
	}
	return 1
}

// claim counts a connection.
func (b *balancer) claim(chosen *backend) {
	b.mu.Lock()
	defer b.mu.Unlock()
	chosen.connections++
	b.backends = append(slices.DeleteFunc(b.backends, func(other *backend) bool { return other == chosen }), chosen)
}

// release ends the count of a connection.
func (b *balancer) release(chosen *backend) {
	b.mu.Lock()
	defer b.mu.Unlock()
	chosen.connections--
}

// judge notes whether a backend is ready: err is why it is not.
func (b *balancer) judge(of *backend, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ready := err == nil; {
	case ready && !of.ready:
		b.log.Info("backend is ready", "backend", of.address)
	case !ready && of.ready:
		b.log.Warn("backend is not ready", "backend", of.address, "err", err)
	}
	if errors.As(err, new(notReady)) {
		b.leave(of)
	}
	of.ready = err == nil
}

// leave ends the connections of a backend, if there is another that is ready. The lock is held.
func (b *balancer) leave(of *backend) {
	others := slices.DeleteFunc(slices.Clone(b.backends), func(other *backend) bool { return other == of || !other.ready })
	if len(others) == 0 {
		return
	}
	for r := range of.relays {
		b.relays.Go(func() { r.end(b.open) })
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
