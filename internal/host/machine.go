package host

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Hostname is the machine's name in lower case, as node names are.
func (h *Host) Hostname() (string, error) {
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("read the hostname: %w", err)
	}
	return strings.ToLower(strings.TrimSpace(name)), nil
}

// DefaultIP is the address of the interface that the default route leaves by, IPv4 before
// IPv6; the zero Addr if there is none.
func (h *Host) DefaultIP() netip.Addr {
	for _, route := range []struct {
		table string
		parse func([]byte) string
		is    func(netip.Addr) bool
	}{
		{"/proc/net/route", defaultInterface4, netip.Addr.Is4},
		{"/proc/net/ipv6_route", defaultInterface6, netip.Addr.Is6},
	} {
		data, err := os.ReadFile(h.Path(route.table))
		if err != nil {
			continue
		}
		if ip := globalAddr(route.parse(data), route.is); ip.IsValid() {
			return ip
		}
	}
	return netip.Addr{}
}

// Addresses are those of all interfaces.
func (h *Host) Addresses() ([]netip.Addr, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("read the interfaces' addresses: %w", err)
	}
	var all []netip.Addr
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, prefix.Addr().Unmap())
		}
	}
	return all, nil
}

// globalAddr is the first address of an interface that others can reach, of one family.
func globalAddr(name string, is func(netip.Addr) bool) netip.Addr {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return netip.Addr{}
	}
	addrs, err := link.Addrs()
	if err != nil {
		return netip.Addr{}
	}
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if ip := prefix.Addr().Unmap(); err == nil && is(ip) && ip.IsGlobalUnicast() {
			return ip
		}
	}
	return netip.Addr{}
}

// routeUp is RTF_UP of linux/route.h.
const routeUp = 1

// route is a default route: its interface, and its preference, less being better.
type route struct {
	link   string
	metric uint64
}

// defaultInterface4 reads /proc/net/route: Iface Destination Gateway Flags RefCnt Use Metric Mask,
// numbers in hexadecimal but for the metric.
func defaultInterface4(data []byte) string {
	return best(data, func(f []string) (route, bool) {
		if len(f) < 8 || f[1] != "00000000" || f[7] != "00000000" || !isUp(f[3]) {
			return route{}, false
		}
		metric, err := strconv.ParseUint(f[6], 10, 64)
		return route{f[0], metric}, err == nil
	})
}

// defaultInterface6 reads /proc/net/ipv6_route: destination, its length, source, its length,
// next hop, metric, references, use, flags, interface, numbers in hexadecimal.
func defaultInterface6(data []byte) string {
	return best(data, func(f []string) (route, bool) {
		if len(f) < 10 || strings.Trim(f[0], "0") != "" || f[1] != "00" || f[9] == "lo" || !isUp(f[8]) {
			return route{}, false
		}
		metric, err := strconv.ParseUint(f[5], 16, 64)
		return route{f[9], metric}, err == nil
	})
}

func isUp(flags string) bool {
	n, err := strconv.ParseUint(flags, 16, 64)
	return err == nil && n&routeUp != 0
}

// best is the interface of the preferred default route, the first one of equals.
func best(data []byte, parse func([]string) (route, bool)) string {
	var routes []route
	for line := range bytes.Lines(data) {
		if r, ok := parse(strings.Fields(string(line))); ok {
			routes = append(routes, r)
		}
	}
	if len(routes) == 0 {
		return ""
	}
	return slices.MinFunc(routes, func(a, b route) int { return cmp.Compare(a.metric, b.metric) }).link
}

// parseSocketAddr reads address:port as /proc/net/tcp and tcp6 have them: the address as
// 32-bit words in the machine's order (little endian wherever Kubernetes runs but on s390x), the port big endian.
func parseSocketAddr(s string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	if err != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("socket address %q", s)
	}
	for word := range slices.Chunk(b, 4) {
		copy(word, hostOrder(word))
	}
	addr, ok := netip.AddrFromSlice(b)
	n, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, fmt.Errorf("socket address %q", s)
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), nil
}
