package balancer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// apiserver is a backend that says its name to everybody and can be told not to be ready.
type apiserver struct {
	*httptest.Server
	name    string
	unready atomic.Bool
	// asked counts the requests for its name.
	asked atomic.Int64
}

// listenAt starts an apiserver at an address, which may have been another one's.
func listenAt(t *testing.T, name string, address netip.AddrPort) *apiserver {
	t.Helper()
	a := &apiserver{name: name}
	a.Server = httptest.NewUnstartedServer(a)
	a.Config.ErrorLog = log.New(io.Discard, "", 0)
	_ = a.Listener.Close()
	var err error
	if a.Listener, err = net.Listen("tcp", address.String()); err != nil {
		t.Fatal(err)
	}
	a.StartTLS()
	t.Cleanup(a.die)
	return a
}

func newAPIServer(t *testing.T, name string) *apiserver {
	t.Helper()
	return listenAt(t, name, netip.MustParseAddrPort("127.0.0.1:0"))
}

func (a *apiserver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/readyz":
		a.asked.Add(1)
		fmt.Fprint(w, a.name)
	case a.unready.Load():
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func (a *apiserver) address() netip.AddrPort {
	return netip.MustParseAddrPort(a.Listener.Addr().String())
}

// die is what kill -9 does to its connections.
func (a *apiserver) die() {
	_ = a.Listener.Close()
	a.CloseClientConnections()
	a.Close()
}

// running is a balancer under test.
type running struct {
	address string
	ca      *x509.CertPool
	stop    context.CancelFunc
	ended   chan error
}

// balance starts a balancer of the backends. It ends with the test at the latest.
func balance(t *testing.T, ca *x509.CertPool, backends ...netip.AddrPort) *running {
	t.Helper()
	return balanceWith(t, Options{Backends: backends, CA: ca})
}

func balanceWith(t *testing.T, o Options) *running {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{address: l.Addr().String(), ca: o.CA, stop: stop, ended: make(chan error, 1)}
	go func() { r.ended <- Serve(ctx, l, o) }()
	t.Cleanup(func() { _ = r.end() })
	return r
}

// end ends the balancer and is what Serve returned.
func (r *running) end() error {
	r.stop()
	err := <-r.ended
	r.ended <- err
	return err
}

// trust is whom all the apiservers' certificates are from.
func trust(a *apiserver) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Certificate())
	return pool
}

// client keeps one connection through the balancer, to one backend.
func (r *running) client() *http.Client {
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.ca}}}
}

// who asks for the name of the backend that the client talks to.
func (r *running) who(c *http.Client) (string, error) {
	answer, err := c.Get("https://" + r.address)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	name, err := io.ReadAll(answer.Body)
	return string(name), err
}

// anew is who by a connection of its own.
func (r *running) anew() (string, error) {
	c := r.client()
	defer c.CloseIdleConnections()
	return r.who(c)
}

// until tries for some seconds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10s: %s", what)
		}
	}
}

// onlyFrom waits until n connections in a row are answered by those names and no others.
func (r *running) onlyFrom(t *testing.T, n int, names ...string) {
	t.Helper()
	allowed := map[string]bool{}
	for _, name := range names {
		allowed[name] = true
	}
	until(t, fmt.Sprintf("answers by %v only", names), func() bool {
		seen := map[string]bool{}
		for range n {
			name, err := r.anew()
			if err != nil || !allowed[name] {
				return false
			}
			seen[name] = true
		}
		return len(seen) == len(names)
	})
}
