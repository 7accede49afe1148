package lab

import (
	"context"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
)

// Two nodes in one network reach each other, unless they are parted, unplugged or off, and nothing is left of it when
// they have gone.
func TestNetwork(t *testing.T) {
	nodes := newNodes(t, "one", "other")
	one, other := nodes[0], nodes[1]
	if err := one.Hold(t.Context(), "10.88.0.2:7000"); err != nil {
		t.Fatal(err)
	}
	reaches(t, other, true)
	for _, step := range []struct {
		name          string
		cut, heal     func(context.Context) error
		seenByNetwork bool
	}{
		{"part", func(ctx context.Context) error { return one.Part(ctx, other) }, func(ctx context.Context) error { return one.Reunite(ctx, other) }, true},
		{"unplug", one.Unplug, one.Plug, false},
	} {
		t.Run(step.name, func(t *testing.T) {
			if err := step.cut(t.Context()); err != nil {
				t.Fatal(err)
			}
			reaches(t, other, false)
			reaches(t, one.Network, step.seenByNetwork)
			if err := step.heal(t.Context()); err != nil {
				t.Fatal(err)
			}
			reaches(t, other, true)
		})
	}
	t.Run("power", func(t *testing.T) { power(t, one, other) })
}

// power wants a machine that was off to have the disk that it had, and no process.
func power(t *testing.T, one, other *Node) {
	t.Helper()
	if err := os.WriteFile(one.Path("/etc/kubernetes/kept"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := one.PowerOff(); err != nil {
		t.Fatal(err)
	}
	reaches(t, other, false)
	if err := one.PowerOn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(one.Path("/etc/kubernetes/kept")); err != nil {
		t.Error(err)
	}
	reaches(t, other, false)
	if err := one.Hold(t.Context(), "10.88.0.2:7000"); err != nil {
		t.Fatal(err)
	}
	reaches(t, other, true)
}

// newNodes are bare machines from 10.88.0.2 on in one network.
func newNodes(t *testing.T, names ...string) []*Node {
	t.Helper()
	l, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	if why := NoNodes(); why != "" {
		t.Skip("no machine can be made here: " + why)
	}
	network, err := l.NewNetwork(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { network.Close() })
	var nodes []*Node
	for i, name := range names {
		addr := netip.AddrFrom4([4]byte{10, 88, 0, byte(2 + i)})
		n, err := l.Start(t.Context(), Machine{Name: name, Addr: addr, Network: network, NoKubelet: true, NoImages: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
		nodes = append(nodes, n)
	}
	return nodes
}

type dialer interface {
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}

// reaches wants the first node's listener to answer somebody, or not.
func reaches(t *testing.T, from dialer, want bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	conn, err := from.Dial(ctx, "tcp", "10.88.0.2:7000")
	if err == nil {
		conn.Close()
	}
	if (err == nil) != want {
		t.Errorf("dial: %v", err)
	}
}
