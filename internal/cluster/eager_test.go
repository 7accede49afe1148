package cluster

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// balancer has one backend of three that is up.
type balancer struct {
	net.Listener
	turn int
}

func (b *balancer) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if b.turn++; err != nil || b.turn%3 == 0 {
			return c, err
		}
		_ = c.Close()
	}
}

// Who is turned away by a balancer comes again at once, and not after the second that client-go takes.
func TestEager(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "m1"}}`)
	}))
	s.Listener = &balancer{Listener: s.Listener}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	c, err := newClient(&rest.Config{Host: s.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	began := time.Now()
	if _, err := c.Get(t.Context(), Node("m1")); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 800*time.Millisecond {
		t.Errorf("it took %s", took)
	}
}
