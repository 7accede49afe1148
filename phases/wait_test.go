package phases

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"tripod.dev/tripod/internal/host"
)

const portHeld = `{"level":"fatal","ts":"2026-11-22T07:30:18Z","msg":"discovery failed","error":"listen tcp 192.0.2.1:2380: bind: address already in use"}`

func TestWaits(t *testing.T) {
	t.Parallel()
	const begun, changed, refused = "0s begun up/etcd", "0s changed up/etcd: create etcd.yaml (0600)", "0s waiting up/etcd: connection refused"
	crashed := func(second int) string {
		return fmt.Sprintf("%ds crashed up/etcd: container etcd ended with exit code 1, its last lines:", second)
	}
	for name, tt := range map[string]struct {
		// container is what the runner says; nil: it runs.
		container func() func(string) (host.Running, error)
		attempt   func(context.Context, *Prober) error
		told      []string
		err       string
		took      time.Duration
	}{
		"healthy at once": {attempt: healthyAfter(0), told: []string{begun, changed, "0s proved up/etcd"}},
		"a cause that stays is final at once": {
			container: func() func(string) (host.Running, error) { return ends(portHeld, time.Second) },
			attempt:   failing("connection refused"),
			told: []string{begun, changed, refused, crashed(1),
				"1s failed up/etcd: container etcd ended with exit code 1: fatal: discovery failed: listen tcp 192.0.2.1:2380: bind: address already in use"},
			err: "\nhint: stop what listens at 192.0.2.1:2380", took: time.Second,
		},
		"an unknown one when it comes again": {
			container: func() func(string) (host.Running, error) { return ends("what?", time.Second, 20*time.Second) },
			attempt:   failing("connection refused"),
			told:      []string{begun, changed, refused, crashed(1), crashed(20), "20s failed up/etcd: container etcd ended with exit code 1: what?"},
			err:       "ended with exit code 1: what?", took: 20 * time.Second,
		},
		"one end may be bad luck": {
			container: func() func(string) (host.Running, error) { return ends("what?", time.Second) },
			attempt:   healthyAfter(5 * time.Second),
			told:      []string{begun, changed, refused, crashed(1), "5s proved up/etcd"}, took: 5 * time.Second,
		},
		"out of time after an end": {
			container: func() func(string) (host.Running, error) { return ends("what?", time.Second) },
			attempt:   failing("connection refused"),
			told:      []string{begun, changed, refused, crashed(1), "240s failed up/etcd: etcd is not healthy after 4m0s: connection refused; container etcd ended with exit code 1: what?"},
			err:       "connection refused; container etcd ended with exit code 1: what?", took: 4 * time.Minute,
		},
		"ended before this run, held back": {
			container: func() func(string) (host.Running, error) {
				return func(revision string) (host.Running, error) {
					return host.Running{Revision: revision, State: host.Waiting, Exit: &host.Exit{Code: 1, Log: []string{portHeld}, At: time.Now().Add(-time.Hour).Truncate(2 * time.Hour)}}, nil
				}
			},
			attempt: healthyAfter(5 * time.Second),
			told: []string{begun, changed, refused, crashed(0), "5s waiting up/etcd: healthy, but its container does not run (waiting)",
				"240s failed up/etcd: etcd is not healthy after 4m0s: healthy, but its container does not run (waiting); container etcd ended with exit code 1: fatal: discovery failed: listen tcp 192.0.2.1:2380: bind: address already in use"},
			err: "container etcd ended with exit code 1", took: 4 * time.Minute,
		},
		"ended long ago, runs": {
			container: func() func(string) (host.Running, error) { return ends(portHeld, -time.Hour) },
			attempt:   healthyAfter(5 * time.Second),
			told:      []string{begun, changed, refused, "5s proved up/etcd"}, took: 5 * time.Second,
		},
		"the end of another revision": {
			container: func() func(string) (host.Running, error) {
				old, begun := ends(portHeld, time.Second), time.Now()
				return func(revision string) (host.Running, error) {
					if time.Since(begun) < 5*time.Second {
						return old("before")
					}
					return host.Running{Revision: revision, State: host.Started}, nil
				}
			},
			attempt: healthyAfter(0),
			told:    []string{begun, changed, "0s waiting up/etcd: healthy, but revision before runs, not a", "5s proved up/etcd"}, took: 5 * time.Second,
		},
		"refused by the runner": {
			container: func() func(string) (host.Running, error) {
				return func(string) (host.Running, error) {
					return host.Running{}, fmt.Errorf("hostPID: %w", host.ErrRefused)
				}
			},
			attempt: failing("connection refused"),
			told:    []string{begun, changed, refused, "0s failed up/etcd: etcd is not healthy after 400ms: hostPID: manifest refused"},
			err:     "hostPID: manifest refused",
		},
		"no container yet": {
			container: func() func(string) (host.Running, error) {
				return func(string) (host.Running, error) {
					return host.Running{}, errors.New("no container yet; no image")
				}
			},
			attempt: func(ctx context.Context, _ *Prober) error { return context.Cause(ctx) },
			told:    []string{begun, changed, "0s waiting up/etcd: no container yet; no image", "240s failed up/etcd: etcd is not healthy after 4m0s: no container yet; no image"},
			err:     "etcd is not healthy after 4m0s: no container yet; no image", took: 4 * time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, "")
				if tt.container != nil {
					s.actor.plays("etcd", tt.container())
				}
				start := time.Now()
				got, err := s.play(t.Context(), t, s.manifestStep(t, "etcd", "a", tt.attempt))
				expect(t, tt.told, got)
				mentions(t, err, tt.err)
				if took := time.Since(start); took < tt.took || took > tt.took+time.Second {
					t.Errorf("took %s", took)
				}
				var unhealthy *UnhealthyError
				if err != nil && !errors.As(err, &unhealthy) {
					t.Errorf("%T", err)
				}
			})
		})
	}
}

// The reason that counts is the last one that says something, not that the time is over.
func TestWaitKeepsTheLastReason(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "")
		asked := 0
		_, err := s.play(t.Context(), t, s.manifestStep(t, "etcd", "a", func(ctx context.Context, _ *Prober) error {
			if asked++; asked < 3 {
				return fmt.Errorf("reason %d", asked)
			}
			<-ctx.Done()
			return ctx.Err()
		}))
		mentions(t, err, "etcd is not healthy after 4m0s: reason 2")
	})
}
