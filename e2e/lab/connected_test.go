package lab

import (
	"net"
	"os"
	"slices"
	"testing"
)

// Connected finds a connection of this process's, and only at the port that was asked for.
func TestConnected(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.9.8.7:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	at := l.Addr().(*net.TCPAddr).AddrPort()
	got, err := Connected(os.Getpid(), at.Port())
	if err != nil || !slices.Contains(got, at.Addr()) {
		t.Errorf("connections to port %d: %v, %v", at.Port(), got, err)
	}
	if got, err := Connected(os.Getpid(), 1); err != nil || len(got) > 0 {
		t.Errorf("connections to port 1: %v, %v", got, err)
	}
}
