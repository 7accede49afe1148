package host

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"
)

// The connections with clients are counted, not those that a process has as a client itself, nor the listener.
func TestConnections(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	self, err := OpenProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	port := netip.MustParseAddrPort(l.Addr().String()).Port()
	h := Open("/")
	for want := range 3 {
		if got := h.Connections(self, port); got != want {
			t.Errorf("%d connections, want %d", got, want)
		}
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
	}
}

// A process ends once, and to end it again hurts nobody.
func TestProcessKill(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := OpenProcess(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	if cmd.Wait() == nil {
		t.Error("it has ended by itself")
	}
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	if _, err := OpenProcess(cmd.Process.Pid); err == nil {
		t.Error("it is there still")
	}
}
