package etcd

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestHealthy(t *testing.T) {
	t.Parallel()
	s := start(t)
	m := s.dialed(t)
	begun := time.Now()
	for range 10 {
		if err := m.Healthy(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("10 reads took %s", time.Since(begun))

	_, err := Dial(t.Context(), s.client, s.trust("other"))
	mentions(t, err, "x509: certificate signed by unknown authority")

	s.stop(t)
	mentions(t, m.Healthy(t.Context()), "accepts connections, but")
	if err := s.process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := m.Healthy(t.Context()); err != nil {
		t.Errorf("it went on, but: %v", err)
	}

	if err := s.process.Kill(); err != nil {
		t.Fatal(err)
	}
	mentions(t, m.Healthy(t.Context()), "connection refused")
	_, err = Dial(t.Context(), s.client, s.trust("ca"))
	mentions(t, err, "connection refused")
}

// A member that does not reach a majority when it starts does not serve clients at all.
func TestWithoutMajority(t *testing.T) {
	t.Parallel()
	s := start(t, "b="+freeURL(t))
	var err error
	for range 100 {
		if _, err = Dial(t.Context(), s.client, s.trust("ca")); err == nil || !strings.Contains(err.Error(), "refused") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	mentions(t, err, "accepts connections, but")
}

// One that loses the majority later says that it has no leader.
func TestMajorityLost(t *testing.T) {
	t.Parallel()
	s := start(t)
	m := s.dialed(t)
	// The cluster has two members from now on, the other of which never starts.
	if _, err := m.client.MemberAdd(t.Context(), []string{freeURL(t)}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	err := m.Healthy(ctx)
	for ; err == nil && ctx.Err() == nil; err = m.Healthy(ctx) {
	}
	mentions(t, err, "leader")
}

func mentions(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}
