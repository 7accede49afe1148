package main

import (
	"context"
	"crypto/tls"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// pool is the backends of a cluster.
type pool struct {
	backends       []*backend
	picked         atomic.Uint64 // how many connections there were
	check          healthCheck
	connectTimeout time.Duration
	network        string // "tcp4", or "tcp" where addresses of any family will do
	client         *http.Client
}

// backend is where connections go.
type backend struct {
	address string // a name or a number, and a port
	healthy atomic.Bool
	failed  int // health checks in a row
}

func newPool(c cluster) *pool {
	p := &pool{check: c.HealthChecks[0], connectTimeout: time.Duration(c.ConnectTimeout), network: "tcp"}
	if c.DNSFamily == "V4_PREFERRED" {
		p.network = "tcp4"
	}
	for _, address := range c.addresses() {
		p.backends = append(p.backends, &backend{address: address})
	}
	p.client = &http.Client{Timeout: time.Duration(p.check.Timeout), Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, p.network, address)
		},
	}}
	return p
}

// pick returns the backend whose turn it is, among the healthy ones if those are at least half of all: with fewer,
// envoy takes it that the checks are wrong (its panic threshold is 50 % unless it is told another one).
func (p *pool) pick() *backend {
	turn := p.picked.Add(1) - 1
	among := p.healthy()
	if 2*len(among) < len(p.backends) {
		among = p.backends
	}
	return among[turn%uint64(len(among))]
}

func (p *pool) healthy() []*backend {
	var all []*backend
	for _, b := range p.backends {
		if b.healthy.Load() {
			all = append(all, b)
		}
	}
	return all
}

// dial connects. A name is looked up each time: envoy does so every five seconds, which makes no difference where
// names keep their addresses.
func (p *pool) dial(ctx context.Context, b *backend) (*net.TCPConn, error) {
	dialer := net.Dialer{Timeout: p.connectTimeout}
	server, err := dialer.DialContext(ctx, p.network, b.address)
	if err != nil {
		return nil, err
	}
	return server.(*net.TCPConn), nil
}

// watch returns when every backend has been looked at once, and goes on looking until ctx is done.
func (p *pool) watch(ctx context.Context) {
	var first sync.WaitGroup
	for _, b := range p.backends {
		first.Go(func() { p.look(ctx, b) })
	}
	first.Wait()
	for _, b := range p.backends {
		go p.keepLooking(ctx, b)
	}
}

func (p *pool) keepLooking(ctx context.Context, b *backend) {
	for {
		interval := p.check.NoTrafficInterval
		if p.picked.Load() > 0 {
			interval = p.check.Interval
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(interval)):
		}
		p.look(ctx, b)
	}
}

// look checks a backend once. A wrong answer counts at once, as in envoy; none at all only several times in a row. One
// success is enough in kind's files, as it is in envoy for a backend that is new.
func (p *pool) look(ctx context.Context, b *backend) {
	status, err := p.ask(ctx, b)
	was := b.healthy.Load()
	switch {
	case err == nil && status == http.StatusOK:
		b.failed = 0
		b.healthy.Store(true)
	case err == nil:
		b.healthy.Store(false)
	default:
		b.failed++
		b.healthy.Store(was && b.failed < p.check.UnhealthyThreshold)
	}
	if now := b.healthy.Load(); now != was {
		log.Printf("%s: healthy %v (status %d, error %v)", b.address, now, status, err)
	}
}

func (p *pool) ask(ctx context.Context, b *backend) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+b.address+p.check.HTTP.Path, nil)
	if err != nil {
		return 0, err
	}
	answer, err := p.client.Do(request)
	if err != nil {
		return 0, err
	}
	_ = answer.Body.Close()
	return answer.StatusCode, nil
}
