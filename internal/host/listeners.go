package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// String is the listener's program as an operator looks for it: "python3 (pid 4242)".
func (l Listener) String() string {
	if l.PID == 0 {
		return "a process of another user"
	}
	return fmt.Sprintf("%s (pid %d)", l.Process, l.PID)
}

// Holders are those that are, now, in the way of one who wants to listen at addr.
func (h *Host) Holders(addr netip.AddrPort) []Listener {
	// A table that can't be read names nobody.
	found, _ := h.listeners([]uint16{addr.Port()})
	return slices.DeleteFunc(found[addr.Port()], func(l Listener) bool {
		return !addr.Addr().IsUnspecified() && !l.Addr.Addr().IsUnspecified() && l.Addr.Addr() != addr.Addr()
	})
}

// listening is TCP_LISTEN of net/tcp_states.h as the tables in /proc/net have it.
const listening = "0A"

// listeners finds who listens on the ports. Sockets come from two small tables; only if one
// of the ports is taken are the processes searched for it.
func (h *Host) listeners(ports []uint16) (map[uint16][]Listener, error) {
	found := map[uint16][]Listener{}
	if len(ports) == 0 {
		return found, nil
	}
	sockets := map[string]Listener{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := os.ReadFile(h.Path(table))
		if errors.Is(err, fs.ErrNotExist) {
			continue // no IPv6 in this kernel
		}
		if err != nil {
			return nil, fmt.Errorf("find listeners: %w", err)
		}
		parseListeners(data, ports, sockets)
	}
	h.findOwners(sockets)
	for _, l := range sockets {
		found[l.Addr.Port()] = append(found[l.Addr.Port()], l)
	}
	for _, ls := range found {
		slices.SortFunc(ls, func(a, b Listener) int { return a.Addr.Compare(b.Addr) })
	}
	return found, nil
}

// parseListeners adds the listening sockets of a table by their inode. Its columns: number,
// local and remote address, state, queues, timers, retransmits, uid, timeout, inode.
func parseListeners(table []byte, ports []uint16, sockets map[string]Listener) {
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != listening {
			continue
		}
		addr, err := parseSocketAddr(f[1])
		if err == nil && slices.Contains(ports, addr.Port()) {
			sockets[f[9]] = Listener{Addr: addr}
		}
	}
}

// findOwners fills in the processes of sockets, by the links in /proc/PID/fd, as far as
// this process may read them.
func (h *Host) findOwners(sockets map[string]Listener) {
	missing := len(sockets)
	if missing == 0 {
		return
	}
	processes, _ := filepath.Glob(h.Path("/proc/[0-9]*"))
	for _, dir := range processes {
		for _, inode := range socketInodes(dir) {
			l, wanted := sockets[inode]
			if !wanted || l.PID != 0 {
				continue
			}
			l.PID, _ = strconv.Atoi(filepath.Base(dir))
			l.Process = program(dir)
			sockets[inode] = l
			if missing--; missing == 0 {
				return
			}
		}
	}
}

// socketInodes are those of the sockets that a process has open.
func socketInodes(process string) []string {
	dir := filepath.Join(process, "fd")
	fds, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var inodes []string
	for _, fd := range fds {
		link, _ := os.Readlink(filepath.Join(dir, fd.Name()))
		if inode, ok := strings.CutPrefix(link, "socket:["); ok {
			inodes = append(inodes, strings.TrimSuffix(inode, "]"))
		}
	}
	return inodes
}

// program is the name of a process by its command line: the kernel's own name for it is cut
// off after 15 bytes, which is too short for kube-controller-manager.
func program(process string) string {
	cmdline, _ := os.ReadFile(filepath.Join(process, "cmdline"))
	arg0, _, _ := strings.Cut(string(cmdline), "\x00")
	if arg0 != "" {
		return filepath.Base(arg0)
	}
	comm, _ := os.ReadFile(filepath.Join(process, "comm"))
	return strings.TrimSpace(string(comm))
}

// hostOrder is a 32-bit word of the machine as it goes over the network.
func hostOrder(word []byte) []byte {
	return binary.BigEndian.AppendUint32(nil, binary.NativeEndian.Uint32(word))
}
