package lab

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Endpoint is the address that the masters of a cluster share: a TCP balancer in a network, which runs in the program
// that made it. It spreads connections over the masters whose apiserver is ready; if none is, over those that it can
// reach. Connections to a master that it can not reach any more are cut; those to one that is not ready any more, while
// others are, end in a moment in which nothing is said on them.
type Endpoint struct {
	// Address is where it listens: 10.88.0.1:6443.
	Address netip.AddrPort

	network  *Network
	listener net.Listener
	backends []*backend
	turn     atomic.Uint64
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

// apiPort is where apiservers listen, and the endpoint.
const apiPort = 6443

// NewEndpoint listens. The masters need not be there yet. The caller closes it.
func (w *Network) NewEndpoint(masters ...netip.Addr) (*Endpoint, error) {
	e := &Endpoint{Address: netip.AddrPortFrom(netip.MustParseAddr(networkAddress), apiPort), network: w}
	var err error
	if e.listener, err = w.listen(e.Address); err != nil {
		return nil, fmt.Errorf("listen as the masters' endpoint: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	for _, master := range masters {
		e.backends = append(e.backends, &backend{address: netip.AddrPortFrom(master, apiPort)})
	}
	for _, b := range e.backends {
		e.running.Go(func() { b.watch(ctx, w, e.others(b)) })
	}
	e.running.Go(func() { e.accept(ctx) })
	return e, nil
}

// Close stops listening and ends every connection.
func (e *Endpoint) Close() error {
	e.cancel()
	err := e.listener.Close()
	e.running.Wait()
	return err
}

func (e *Endpoint) accept(ctx context.Context) {
	for {
		client, err := e.listener.Accept()
		if err != nil {
			return
		}
		e.running.Go(func() { e.serve(ctx, client) })
	}
}

// serve passes one connection on to the first master that takes it.
func (e *Endpoint) serve(ctx context.Context, client net.Conn) {
	defer client.Close()
	for _, b := range e.order() {
		if b.serve(ctx, e.network, client) {
			return
		}
	}
}

// order is that in which masters are tried: the ready ones before the reachable ones, and each has its turn.
func (e *Endpoint) order() []*backend {
	first := int(e.turn.Add(1) % uint64(len(e.backends)))
	order := slices.Concat(e.backends[first:], e.backends[:first])
	slices.SortStableFunc(order, func(a, b *backend) int { return cmp.Compare(b.state.Load(), a.state.Load()) })
	return order
}

// others says whether a master but this one is ready.
func (e *Endpoint) others(but *backend) func() bool {
	return func() bool {
		return slices.ContainsFunc(e.backends, func(b *backend) bool { return b != but && b.state.Load() == ready })
	}
}

// Of a master, from bad to good.
const (
	unreachable int32 = iota
	unready
	ready
)

// backend is one master's apiserver.
type backend struct {
	address netip.AddrPort
	state   atomic.Int32

	mu    sync.Mutex
	conns map[net.Conn]bool
	// said is when something was said on any of them, in nanoseconds since 1970.
	said atomic.Int64
}

const (
	checkEvery  = 100 * time.Millisecond
	dialTimeout = time.Second
	// mostMisses is how often in a row an apiserver may answer nothing: it stalls while its etcd elects a leader.
	mostMisses = 5
)

// watch asks the apiserver again and again whether it is ready.
func (b *backend) watch(ctx context.Context, w *Network, others func() bool) {
	health := NewHealth(w.Dial)
	defer health.Close()
	misses := 0
	for ctx.Err() == nil {
		switch answered, err := health.ask(ctx, "https://"+b.address.String()+"/readyz"); {
		case err == nil:
			misses = 0
			b.state.Store(ready)
		case answered:
			misses = 0
			b.state.Store(unready)
			if others() {
				b.leave(ctx)
			}
		case misses < mostMisses:
			misses++
			b.state.Store(unready)
		default:
			b.state.Store(unreachable)
			b.cut()
		}
		select {
		case <-ctx.Done():
		case <-time.After(checkEvery):
		}
	}
}

// serve passes a client's connection on until either side ends it, and says whether the apiserver took it.
func (b *backend) serve(ctx context.Context, w *Network, client net.Conn) bool {
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	server, err := w.Dial(dialing, "tcp", b.address.String())
	if err != nil {
		return false
	}
	defer b.keep(server)()
	end := func() { server.Close(); client.Close() }
	defer context.AfterFunc(ctx, end)()
	var ways sync.WaitGroup
	for _, way := range [][2]net.Conn{{server, client}, {client, server}} {
		ways.Go(func() {
			_, _ = io.Copy(way[0], heard{way[1], &b.said})
			end() // TLS has no use for half a connection
		})
	}
	ways.Wait()
	return true
}

// heard notes when something is said.
type heard struct {
	io.Reader
	said *atomic.Int64
}

func (h heard) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	h.said.Store(time.Now().UnixNano())
	return n, err
}

// leave cuts the connections in a moment in which nothing is said, if one comes soon.
func (b *backend) leave(ctx context.Context) {
	const quietFor, within = 10 * time.Millisecond, 500 * time.Millisecond
	for began := time.Now(); time.Since(time.Unix(0, b.said.Load())) < quietFor && time.Since(began) < within && ctx.Err() == nil; {
		time.Sleep(quietFor / 4)
	}
	b.cut()
}

// keep notes a connection, to be cut when the master is lost, and returns what ends it.
func (b *backend) keep(server net.Conn) (end func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conns == nil {
		b.conns = map[net.Conn]bool{}
	}
	b.conns[server] = true
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.conns, server)
		server.Close()
	}
}

// cut ends the connections to the apiserver.
func (b *backend) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for server := range b.conns {
		server.Close()
	}
}
