package sandbox

import (
	"errors"
	"hash/fnv"
	"net"
	"net/netip"
)

const (
	// MostMasters is how many masters a sandbox can have. More voters make etcd no safer, only slower.
	MostMasters = 9
	// balancerByte ends the balancer's address, away from those of the masters.
	balancerByte = 100
	// apiPort is that of every apiserver, and of the balancer.
	apiPort = 6443
)

// ports are what a master listens on at its address.
func ports() []uint16 { return []uint16{2379, 2380, 2381, apiPort, 10257, 10259} }

// network is the part of the loopback range that a sandbox has for itself: its masters are at .1, .2 and so on.
type network struct{ netip.Prefix }

func networkOf(a netip.Addr) network { return network{netip.PrefixFrom(a, 24).Masked()} }

func (n network) at(last byte) netip.Addr {
	a := n.Addr().As4()
	a[3] = last
	return netip.AddrFrom4(a)
}

// master is the address of the master with that number, counted from 1.
func (n network) master(number int) netip.Addr { return n.at(byte(number)) }

func (n network) endpoint() netip.AddrPort { return netip.AddrPortFrom(n.at(balancerByte), apiPort) }

// listeners are all addresses that may come to be listened at.
func (n network) listeners() []netip.AddrPort {
	all := []netip.AddrPort{n.endpoint()}
	for number := range MostMasters {
		for _, port := range ports() {
			all = append(all, netip.AddrPortFrom(n.master(number+1), port))
		}
	}
	return all
}

// quiet says whether all of them can be bound.
func (n network) quiet() bool {
	for _, address := range n.listeners() {
		l, err := net.Listen("tcp4", address.String())
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}

// free finds a network. Each sandbox has a 127.A.B.0/24 of its own, A from 64 to 127. A name begins its search at
// the same place every time, so a sandbox that is made again mostly has the addresses that it had.
func free(name string, others []Sandbox) (network, error) {
	taken := map[network]bool{}
	for _, s := range others {
		for _, m := range s.Masters {
			taken[networkOf(m.Address)] = true
		}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	first := h.Sum32()
	for i := range uint32(1 << 14) {
		n := (first + i) % (1 << 14)
		found := networkOf(netip.AddrFrom4([4]byte{127, byte(64 + n>>8), byte(n), 1}))
		if !taken[found] && found.quiet() {
			return found, nil
		}
	}
	return network{}, errors.New("no free addresses in 127.64.0.0/10: something listens in every part of it\nhint: a listener on all addresses at port 6443 or 2379 blocks them all: ss -ltnp")
}
