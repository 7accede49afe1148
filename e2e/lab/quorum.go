package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// Quorum watches the etcd members of running masters: each is asked several times a second to read linearizably, which
// it can do only while a majority of the voters hears of the same leader. It asks from within each node.
type Quorum struct {
	mu      sync.Mutex
	watches map[*Node]*watch
	last    time.Time // when a member has read
	longest time.Duration
	where   string
	reads   int
}

// watch is the watching of one member.
type watch struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// NewQuorum watches nobody yet. The caller closes it.
func NewQuorum() *Quorum { return &Quorum{watches: map[*Node]*watch{}} }

// Watch begins to watch the member of a running master that serves.
func (q *Quorum) Watch(nodes ...*Node) error {
	for _, n := range nodes {
		there, err := n.namespace()
		if err != nil {
			return fmt.Errorf("watch etcd of %s: %w", n.Name, err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		w := &watch{cancel, make(chan struct{})}
		q.mu.Lock()
		q.watches[n] = w
		if len(q.watches) == 1 {
			q.last = time.Now()
		}
		q.mu.Unlock()
		go func() {
			defer close(w.done)
			defer there.Close()
			q.watch(ctx, n.Name, there)
		}()
	}
	return nil
}

// Leave stops watching the member of a master that is about to be ended.
func (q *Quorum) Leave(nodes ...*Node) {
	for _, n := range nodes {
		q.mu.Lock()
		w := q.watches[n]
		delete(q.watches, n)
		q.mu.Unlock()
		if w != nil {
			w.cancel()
			<-w.done
		}
	}
}

// Close stops watching all of them.
func (q *Quorum) Close() {
	for n := range q.watches {
		q.Leave(n)
	}
}

// Lost is the longest time for which no watched member has read: one that is started anew has not lost the quorum.
func (q *Quorum) Lost() (longest time.Duration, where string, reads int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.longest, q.where, q.reads
}

// watch asks one member until ctx is done.
func (q *Quorum) watch(ctx context.Context, name string, there *os.File) {
	health := NewHealth(func(ctx context.Context, network, address string) (net.Conn, error) {
		return dialIn(ctx, there, network, address)
	})
	defer health.Close()
	for ctx.Err() == nil {
		q.note(name, health.Now(ctx, HealthURLs("127.0.0.1", "127.0.0.1").Etcd))
		select {
		case <-ctx.Done():
		case <-time.After(checkEvery):
		}
	}
}

func (q *Quorum) note(name string, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reads++
	if err == nil {
		q.last = time.Now()
		return
	}
	if lost := time.Since(q.last); lost > q.longest {
		q.longest, q.where = lost, strings.TrimSpace(name+" "+err.Error())
	}
}
