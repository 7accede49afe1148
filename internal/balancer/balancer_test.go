package balancer

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// three are apiservers a, b, c, and a balancer of them that knows that they are ready.
func three(t *testing.T) ([]*apiserver, *running) {
	t.Helper()
	var all []*apiserver
	var addresses []netip.AddrPort
	for _, name := range []string{"a", "b", "c"} {
		all = append(all, newAPIServer(t, name))
		addresses = append(addresses, all[len(all)-1].address())
	}
	r := balance(t, trust(all[0]), addresses...)
	r.onlyFrom(t, 6, "a", "b", "c")
	return all, r
}

// Connections that stay are shared out evenly, and one that comes back gets the next ones.
func TestSpread(t *testing.T) {
	t.Parallel()
	_, r := three(t)
	held := map[string]int{}
	var clients []*http.Client
	for range 30 {
		c := r.client()
		clients = append(clients, c)
		name, err := r.who(c)
		if err != nil {
			t.Fatal(err)
		}
		held[name]++
	}
	for _, name := range []string{"a", "b", "c"} {
		if n := held[name]; n < 9 || n > 11 { // a connection of before may not have been counted out yet
			t.Errorf("%s holds %d of 30 connections", name, n)
		}
	}
	for _, c := range clients {
		c.CloseIdleConnections()
	}
}

// A backend that dies takes its connections along and no others; no new connection notices, even before the next check.
func TestDeath(t *testing.T) {
	t.Parallel()
	all, r := three(t)
	clients := map[string]*http.Client{}
	until(t, "a connection to each", func() bool {
		c := r.client()
		name, err := r.who(c)
		if err != nil {
			t.Fatal(err)
		}
		clients[name] = c
		return len(clients) == 3
	})
	all[0].die()
	for range 10 {
		if name, err := r.anew(); err != nil || name == "a" {
			t.Errorf("answered by %q, %v", name, err)
		}
	}
	for _, name := range []string{"b", "c"} {
		if got, err := r.who(clients[name]); got != name || err != nil {
			t.Errorf("the connection to %s: %q, %v", name, got, err)
		}
	}
	listenAt(t, "a", all[0].address())
	r.onlyFrom(t, 6, "a", "b", "c")
}

// What is not ready gets no new connection, and is left by those that it has.
func TestNotReady(t *testing.T) {
	t.Parallel()
	all, r := three(t)
	var kept *http.Client
	until(t, "a connection to b", func() bool {
		kept = r.client()
		name, err := r.who(kept)
		return name == "b" && err == nil
	})
	all[1].unready.Store(true)
	r.onlyFrom(t, 10, "a", "c")
	until(t, "the client of b is served by another", func() bool {
		name, err := r.who(kept)
		if err != nil {
			t.Error(err)
		}
		time.Sleep(5 * quietFor) // as a client that has nothing to ask for a while
		return name != "b"
	})
	kept.CloseIdleConnections()
	all[1].unready.Store(false)
	r.onlyFrom(t, 6, "a", "b", "c")
}

// Where none is known to be ready all are tried, be it that their certificates are of somebody else's CA.
func TestNoneReady(t *testing.T) {
	t.Parallel()
	all, r := three(t)
	for _, a := range all {
		a.unready.Store(true)
	}
	time.Sleep(2 * checkEvery)
	r.onlyFrom(t, 6, "a", "b", "c")

	stranger := balance(t, x509.NewCertPool(), all[0].address())
	stranger.ca = r.ca
	if name, err := stranger.anew(); name != "a" || err != nil {
		t.Errorf("answered by %q, %v", name, err)
	}
}

// Where nobody listens the client is told at once, and served as soon as somebody does.
func TestAllDownThenSlowStart(t *testing.T) {
	t.Parallel()
	all, r := three(t)
	for _, a := range all {
		a.die()
	}
	conn, err := net.Dial("tcp", r.address)
	if err == nil { // and not reset before Dial has even returned
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		_, err = conn.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("with all down a client reads: %v", err)
	}
	slow := listenAt(t, "b", all[1].address())
	slow.unready.Store(true)
	if name, err := r.anew(); name != "b" || err != nil {
		t.Errorf("the only one that listens: %q, %v", name, err)
	}
	slow.unready.Store(false)
	listenAt(t, "c", all[2].address())
	r.onlyFrom(t, 6, "b", "c")
}

// A backend that takes connections and says nothing, as a stopped process does, is left alone after one check.
func TestHanging(t *testing.T) {
	t.Parallel()
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	a := newAPIServer(t, "a")
	r := balance(t, trust(a), netip.MustParseAddrPort(mute.Addr().String()), a.address())
	time.Sleep(checkEvery) // the very first connection may be as far as the checks
	r.onlyFrom(t, 10, "a")
}

// Thousands of short connections all come through while a backend goes and comes back, and leave nothing behind.
func TestManyShortConnections(t *testing.T) { // not parallel: it counts what the process has
	all, r := three(t)
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	var failed atomic.Int64
	var clients sync.WaitGroup
	for range 20 {
		clients.Go(func() {
			for range 100 {
				if _, err := r.anew(); err != nil {
					failed.Add(1)
					t.Log(err)
				}
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	all[2].unready.Store(true)
	time.Sleep(300 * time.Millisecond)
	all[2].unready.Store(false)
	clients.Wait()
	if n := failed.Load(); n > 0 {
		t.Errorf("%d of 2000 connections failed", n)
	}
	for _, a := range all {
		if n := a.asked.Load(); n < 200 {
			t.Errorf("%s was asked %d times only", a.name, n)
		}
	}
	until(t, "no goroutine more than before", func() bool { return runtime.NumGoroutine() <= goroutines })
	until(t, "no open file more than before", func() bool { return openFiles(t) <= files })
}

func openFiles(t *testing.T) int {
	t.Helper()
	runtime.GC() // pipes that were used to splice are closed by it
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestNoBackend(t *testing.T) {
	t.Parallel()
	r := balance(t, nil)
	if err := r.end(); err == nil {
		t.Error("it runs without a backend")
	}
}

// Ready is what a user of the address asks.
func TestReady(t *testing.T) {
	t.Parallel()
	all, r := three(t)
	if err := Ready(t.Context(), r.ca, r.address); err != nil {
		t.Error(err)
	}
	for _, a := range all {
		a.unready.Store(true)
	}
	until(t, "not ready", func() bool {
		err := Ready(t.Context(), r.ca, r.address)
		return err != nil && err.Error() == fmt.Sprintf("https://%s/readyz answers 500 Internal Server Error", r.address)
	})
	if err := Ready(t.Context(), x509.NewCertPool(), r.address); err == nil {
		t.Error("a certificate of an unknown CA is taken")
	}
}
