package phases

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tripod.dev/tripod/internal/config"
)

// A probe is an address that answers for a component's health. An empty Host is any address of the master.
type probe struct {
	Scheme, Host string
	Port         int
}

// url is the probe's URL as seen from the master itself.
func (p probe) url(loopback netip.Addr, path string) string {
	return (&url.URL{Scheme: strings.ToLower(p.Scheme), Host: p.address(loopback), Path: path}).String()
}

// address is where the probe is asked from the master itself: host:port.
func (p probe) address(loopback netip.Addr) string {
	return net.JoinHostPort(cmp.Or(p.Host, loopback.String()), strconv.Itoa(p.Port))
}

// secureProbe is the probe of a component that serves TLS where its extra arguments say, otherwise at address.
func secureProbe(args []config.Arg, address netip.AddrPort) probe {
	p := probe{Scheme: "HTTPS", Host: argument(args, "bind-address", address.Addr().String()), Port: int(address.Port())}
	if port, err := strconv.Atoi(argument(args, "secure-port", "")); err == nil {
		p.Port = port
	}
	return p.reachable()
}

// reachable leaves an unspecified address open, as it can be listened at but not be asked.
func (p probe) reachable() probe {
	if addr, err := netip.ParseAddr(p.Host); err == nil && addr.IsUnspecified() {
		p.Host = ""
	}
	return p
}

// argument is the value that an extra argument gives a flag, the last one if it is repeated, otherwise fallback.
func argument(args []config.Arg, name, fallback string) string {
	for _, a := range slices.Backward(args) {
		if a.Name == name {
			return a.Value
		}
	}
	return fallback
}
