package phases

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tripod.dev/tripod/internal/host"
)

// A component that was healthy ends while another is waited for: that is told, and why.
func TestProvenEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		line, hint string
		within     time.Duration
	}{
		"it can't live":    {"write wal/0.tmp: no space left on device", "make room on the disk", 10 * time.Second},
		"without a reason": {"bye", "", time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, "")
				ends := time.Now().Add(3 * time.Second)
				s.actor.plays("etcd", func(revision string) (host.Running, error) {
					now := host.Running{Revision: revision, State: host.Started}
					if time.Now().After(ends) {
						now.State, now.Exit = host.Waiting, &host.Exit{Code: 2, At: ends, Log: []string{test.line}}
					}
					return now, nil
				})
				begun := time.Now()
				told, err := s.play(t.Context(), t, s.manifestStep(t, "etcd", "a", healthyAfter(0)), s.manifestStep(t, "kube-apiserver", "b", failing("not yet etcd")))
				if err == nil || time.Since(begun) > test.within {
					t.Fatalf("after %s: %v", time.Since(begun), err)
				}
				for _, want := range []string{"kube-apiserver is not healthy", "not yet etcd; container etcd ended with exit code 2: " + test.line, test.hint} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%v does not say %s", err, want)
					}
				}
				if n := strings.Count(strings.Join(told, "\n"), "crashed up/kube-apiserver: container etcd ended"); n != 1 {
					t.Errorf("told %d times:\n%s", n, strings.Join(told, "\n"))
				}
			})
		})
	}
}
