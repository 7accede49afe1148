package balancer

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// Connections on which nothing is said do not keep others out: the oldest of them go.
func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	const most = 8
	a := newAPIServer(t, "a")
	r := balanceWith(t, Options{CA: trust(a), Backends: []netip.AddrPort{a.address()}, Most: most})
	busy := r.client()
	defer busy.CloseIdleConnections()
	var idle []net.Conn
	for range 3 * most {
		if _, err := r.who(busy); err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", r.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		idle = append(idle, conn)
	}
	for range 2 * most {
		if name, err := r.anew(); name != "a" || err != nil {
			t.Errorf("answered by %q, %v", name, err)
		}
	}
	_ = idle[0].SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := idle[0].Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the first that was idle: %v", err)
	}
}

func TestRoom(t *testing.T) {
	t.Parallel()
	if n := room(); n < 1 || n > mostConnections {
		t.Errorf("room for %d", n)
	}
}
