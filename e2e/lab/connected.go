package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// established is the state of a connection in /proc/net/tcp.
const established = "01"

// Connected are the addresses at which a process has connections to that port, each as often as it has one (proc_pid_net(5)).
func Connected(pid int, port uint16) ([]netip.Addr, error) {
	own, err := sockets(pid)
	if err != nil {
		return nil, err
	}
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", pid))
	if err != nil {
		return nil, err
	}
	var found []netip.Addr
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[3] != established || !own[fields[9]] {
			continue
		}
		at, err := parseHex(fields[2])
		if err != nil {
			return nil, err
		}
		if at.Port() == port {
			found = append(found, at.Addr())
		}
	}
	return found, nil
}

// sockets are the inodes of a process's sockets.
func sockets(pid int) (map[string]bool, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return nil, err
	}
	own := map[string]bool{}
	for _, file := range files {
		target, err := os.Readlink(file)
		if err != nil {
			continue // closed since
		}
		if inode, found := strings.CutPrefix(target, "socket:["); found {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return own, nil
}

// parseHex reads an address of /proc/net/tcp: that of IPv4 is in the order of the host, little endian.
func parseHex(text string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(text, ":")
	address, err := strconv.ParseUint(host, 16, 32)
	if err != nil {
		return netip.AddrPort{}, err
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, err
	}
	a := netip.AddrFrom4([4]byte{byte(address), byte(address >> 8), byte(address >> 16), byte(address >> 24)})
	return netip.AddrPortFrom(a, uint16(number)), nil
}
