package sandbox

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
)

// ports are what a master listens on at its address.
func ports() []uint16 { return []uint16{2379, 2380, 2381, 6443, 10257, 10259} }

// free finds an address for the first master. Each sandbox has a 127.A.B.0/24 of its own, A from 64
// to 127, so that its masters are .1, .2 and so on. A name begins its search at the same place every
// time, so a sandbox that is made again mostly has the address that it had.
func free(name string, others []Sandbox) (netip.Addr, error) {
	taken := map[netip.Prefix]bool{}
	for _, s := range others {
		for _, m := range s.Masters {
			taken[network(m.Address)] = true
		}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	first := h.Sum32()
	for i := range uint32(1 << 14) {
		n := (first + i) % (1 << 14)
		a := netip.AddrFrom4([4]byte{127, byte(64 + n>>8), byte(n), 1})
		if !taken[network(a)] && quiet(a) {
			return a, nil
		}
	}
	return netip.Addr{}, errors.New("no free address in 127.64.0.0/10: something listens on every one\nhint: a listener on all addresses at port 6443 or 2379 blocks them all: ss -ltnp")
}

func network(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, 24).Masked() }

// quiet says whether every port that a master needs can be bound at a.
func quiet(a netip.Addr) bool {
	for _, port := range ports() {
		l, err := net.Listen("tcp4", fmt.Sprintf("%s:%d", a, port))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}
