package lab

import (
	"net/netip"
	"testing"
)

// Two nodes in one network reach each other, and nothing is left of it when they have gone.
func TestNetwork(t *testing.T) {
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
	defer network.Close()
	var nodes []*Node
	for i, name := range []string{"one", "other"} {
		addr := netip.AddrFrom4([4]byte{10, 88, 0, byte(2 + i)})
		n, err := l.Start(t.Context(), Machine{Name: name, Addr: addr, Network: network, NoKubelet: true, NoImages: true})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		nodes = append(nodes, n)
	}
	if err := nodes[0].Hold(t.Context(), "10.88.0.2:7000"); err != nil {
		t.Fatal(err)
	}
	conn, err := nodes[1].Dial(t.Context(), "tcp", "10.88.0.2:7000")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if out, err := nodes[1].Run(t.Context(), "ip", "-brief", "link"); err != nil {
		t.Error(err)
	} else {
		t.Log(out)
	}
}
