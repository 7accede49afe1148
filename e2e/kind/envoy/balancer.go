package main

import (
	"context"
	"io"
	"log"
	"net"
	"sync"
	"sync/atomic"
)

// balancer passes connections on from one address to the backends of a pool. Its zero value listens nowhere.
type balancer struct {
	pool     atomic.Pointer[pool] // nil: none, clients are turned away
	unwatch  func()               // ends the health checks of the pool
	listener net.Listener
}

// takeCluster replaces the pool, once every new backend has been looked at. Connections that are there stay.
func (b *balancer) takeCluster(ctx context.Context, content []byte) error {
	c, err := parse[cluster](content)
	if err == nil && c != nil {
		err = c.followable()
	}
	if err != nil {
		return err
	}
	var next *pool
	watching, unwatch := context.WithCancel(ctx)
	if c != nil {
		next = newPool(*c)
		next.watch(watching)
	}
	b.pool.Store(next)
	if b.unwatch != nil {
		b.unwatch()
	}
	b.unwatch = unwatch
	return nil
}

// takeListener listens where the file says, or nowhere.
func (b *balancer) takeListener(ctx context.Context, content []byte) error {
	l, err := parse[listener](content)
	if err == nil && l != nil {
		err = l.followable()
	}
	if err != nil {
		return err
	}
	if b.listener != nil {
		_ = b.listener.Close()
		b.listener = nil
	}
	if l == nil {
		return nil
	}
	if b.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", l.Address.String()); err != nil {
		return err
	}
	go b.serve(ctx, b.listener)
	return nil
}

func (b *balancer) close() {
	if b.listener != nil {
		_ = b.listener.Close()
	}
	if b.unwatch != nil {
		b.unwatch()
	}
}

// serve accepts until the listener is closed.
func (b *balancer) serve(ctx context.Context, l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go b.connect(ctx, client.(*net.TCPConn))
	}
}

// connect tries one backend. A client whose backend can not be reached is turned away, to come again.
func (b *balancer) connect(ctx context.Context, client *net.TCPConn) {
	defer client.Close()
	p := b.pool.Load()
	if p == nil || len(p.backends) == 0 {
		return
	}
	server, err := p.dial(ctx, p.pick())
	if err != nil {
		log.Print(err)
		return
	}
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() { pass(server, client) })
	both.Go(func() { pass(client, server) })
	both.Wait()
}

// pass copies until the end, and hands it on: each direction ends for itself, a failure ends both.
func pass(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		_ = from.Close()
		_ = to.Close()
		return
	}
	_ = to.CloseWrite()
}
