package balancer

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// plainBackend is a backend whose connections the test has in its hands. It never is ready, and so tried as the last resort.
func plainBackend(t *testing.T) (*running, <-chan *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	taken := make(chan *net.TCPConn, 100) // checks too
	go func() {
		for {
			conn, err := l.AcceptTCP()
			if err != nil {
				return
			}
			taken <- conn
		}
	}()
	return balance(t, nil, netip.MustParseAddrPort(l.Addr().String())), taken
}

// connection is one through the balancer, from both ends. Checks, which begin with TLS, are told from it by its first byte.
func connection(t *testing.T, r *running, taken <-chan *net.TCPConn) (client, server *net.TCPConn) {
	t.Helper()
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	client = conn.(*net.TCPConn)
	t.Cleanup(func() { _ = client.Close() })
	if _, err := client.Write([]byte("!")); err != nil {
		t.Fatal(err)
	}
	for server := range taken {
		first := make([]byte, 1)
		if _, err := io.ReadFull(server, first); err == nil && first[0] == '!' {
			t.Cleanup(func() { _ = server.Close() })
			return client, server
		}
		_ = server.Close()
	}
	return nil, nil
}

// One end may have said all and still listen: what the other says then comes through, whole.
func TestHalfClose(t *testing.T) {
	t.Parallel()
	r, taken := plainBackend(t)
	client, server := connection(t, r, taken)
	question, answer := bytes.Repeat([]byte("question "), 100_000), bytes.Repeat([]byte("answer "), 200_000)
	go func() {
		_, _ = client.Write(question)
		_ = client.CloseWrite()
	}()
	if got, err := io.ReadAll(server); err != nil || !bytes.Equal(got, question) {
		t.Errorf("the backend has read %d of %d bytes, %v", len(got), len(question), err)
	}
	go func() {
		_, _ = server.Write(answer)
		_ = server.Close()
	}()
	if got, err := io.ReadAll(client); err != nil || !bytes.Equal(got, answer) {
		t.Errorf("the client has read %d of %d bytes, %v", len(got), len(answer), err)
	}
}

// A connection that breaks at one end is broken at the other: nobody takes a torn answer for a whole one.
func TestReset(t *testing.T) {
	t.Parallel()
	r, taken := plainBackend(t)
	for _, of := range []string{"client", "server"} {
		client, server := connection(t, r, taken)
		if of == "server" {
			client, server = server, client
		}
		reset(client)
		_ = server.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after the reset of the %s the other end reads: %v", of, err)
		}
	}
}

// When the balancer is told to end, what is under way may end by itself; what does not is ended.
func TestShutdown(t *testing.T) {
	t.Parallel()
	r, taken := plainBackend(t)
	client, server := connection(t, r, taken)
	idle, _ := connection(t, r, taken)
	began := time.Now()
	r.stop()
	until(t, "nobody listens", func() bool {
		conn, err := net.Dial("tcp", r.address)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	if _, err := server.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	_ = server.Close()
	if got, err := io.ReadAll(client); string(got) != "late" || err != nil {
		t.Errorf("an answer that was under way: %q, %v", got, err)
	}
	_ = client.Close()
	_ = idle.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := idle.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("an idle connection reads: %v", err)
	}
	if err := r.end(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < drainWithin || took > drainWithin+2*time.Second {
		t.Errorf("it took %s to end", took)
	}
}
