package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// The endpoint spreads connections over the masters that are ready, goes round those that are not, and has the others
// only if there is no better.
func TestEndpoint(t *testing.T) {
	nodes := newNodes(t, "one", "other", "idle")
	network := nodes[0].Network
	e, err := network.NewEndpoint(nodes[0].Addr, nodes[1].Addr, nodes[2].Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	one, other := newFakeMaster(t, nodes[0]), newFakeMaster(t, nodes[1])
	answered(t, network, "one", "other")
	one.unready.Store(true)
	answered(t, network, "other")
	other.server.Close()
	answered(t, network, "one")
}

// fakeMaster says who it is.
type fakeMaster struct {
	server  *httptest.Server
	unready atomic.Bool
}

func newFakeMaster(t *testing.T, n *Node) *fakeMaster {
	t.Helper()
	there, err := n.namespace()
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	m := &fakeMaster{}
	m.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" && m.unready.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprint(w, n.Name)
	}))
	m.server.Listener.Close()
	err = inNetwork(there, func() (err error) {
		m.server.Listener, err = net.Listen("tcp", n.Addr.String()+":6443")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	m.server.StartTLS()
	t.Cleanup(m.server.Close)
	return m
}

// answered wants six connections in a row to be answered by these masters and no others, each in its turn.
func answered(t *testing.T, network *Network, want ...string) {
	t.Helper()
	err := Until(t.Context(), strings.Join(want, " and "), func(context.Context) error {
		count := map[string]int{}
		for range 6 {
			name, err := whoAnswers(network)
			if err != nil {
				return err
			}
			count[name]++
		}
		for _, name := range want {
			if count[name] == 0 {
				return fmt.Errorf("%s has not answered: %v", name, count)
			}
		}
		if len(count) > len(want) {
			return fmt.Errorf("others have answered: %v", count)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func whoAnswers(network *Network) (string, error) {
	health := NewHealth(network.Dial)
	defer health.Close()
	answer, err := health.client.Get("https://10.88.0.1:6443/")
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	name, err := io.ReadAll(answer.Body)
	return string(name), err
}
