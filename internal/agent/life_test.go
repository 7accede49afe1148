package agent

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func TestBackOff(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	crash := func(runs ...time.Duration) []time.Duration {
		var b backOff
		var delays []time.Duration
		now := start
		for _, run := range runs {
			ended := now.Add(run)
			now = b.until(ended)
			delays = append(delays, now.Sub(ended))
			b.restarted(ended, now)
		}
		return delays
	}
	s := time.Second
	equal(t, "crash loop", crash(s, s, s, s, s, s, s, s), []time.Duration{0, 10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 300 * s, 300 * s})
	equal(t, "ten minutes are not enough", crash(s, s, 600*s), []time.Duration{0, 10 * s, 20 * s})
	equal(t, "longer is stable", crash(s, s, 601*s, s), []time.Duration{0, 10 * s, 0, 10 * s})
}

// actor plays the processes of a life in fake time.
type actor struct {
	lasts   time.Duration // until each ends by itself, 0 is for ever
	deaf    bool          // to SIGTERM
	fails   int           // the first so many launches
	began   []time.Duration
	signals []syscall.Signal
	start   time.Time
}

func (a *actor) launch(_ pod, mark marker) (*process, error) {
	a.began = append(a.began, time.Since(a.start))
	if len(a.began) <= a.fails {
		return nil, errors.New("no such luck")
	}
	if err := os.MkdirAll(filepath.Dir(mark.Log), 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(mark.Log, nil, 0o600); err != nil {
		return nil, err
	}
	exited := make(chan ExitState, 1)
	end := func(code int) {
		select {
		case exited <- ExitState{Code: code, At: time.Now()}:
		default:
		}
	}
	if a.lasts > 0 {
		time.AfterFunc(a.lasts, func() { end(1) })
	}
	return &process{pid: 1, mark: mark, exited: exited, signal: func(sig syscall.Signal) error {
		a.signals = append(a.signals, sig)
		if sig == syscall.SIGKILL || !a.deaf {
			end(128 + int(sig))
		}
		return nil
	}}, nil
}

// live runs a life of the actor for so long, then ends it, and returns how long the end took.
func (a *actor) live(t *testing.T, p pod, d time.Duration) time.Duration {
	t.Helper()
	a.start = time.Now()
	p.Namespace, p.Name, p.Container, p.Hash = "n", "p", "c", "h"
	l := newLife(settings{state: t.TempDir(), board: newBoard(State{}), log: slog.New(slog.DiscardHandler), launch: a.launch}, p, nil)
	go l.run(t.Context())
	time.Sleep(d)
	l.endSoon()
	begin := time.Now()
	<-l.done
	return time.Since(begin)
}

func TestCrashLoopBacksOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := actor{lasts: time.Second}
		a.live(t, pod{Restart: corev1.RestartPolicyAlways}, 90*time.Second)
		s := time.Second
		equal(t, "starts", a.began, []time.Duration{0, 1 * s, 12 * s, 33 * s, 74 * s})
	})
}

func TestLongRunResetsTheBackOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := actor{lasts: 11 * time.Minute}
		a.live(t, pod{Restart: corev1.RestartPolicyAlways}, 40*time.Minute)
		equal(t, "starts", a.began, []time.Duration{0, 11 * time.Minute, 22 * time.Minute, 33 * time.Minute})
	})
}

func TestFailedStartsAreRetriedSlower(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := actor{fails: 3}
		a.live(t, pod{Restart: corev1.RestartPolicyAlways}, time.Minute)
		ms := time.Millisecond
		equal(t, "starts", a.began, []time.Duration{0, 500 * ms, 1500 * ms, 3500 * ms})
	})
}

func TestGraceInFakeTime(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		deaf    bool
		took    time.Duration
		signals []syscall.Signal
	}{
		"obeys": {false, 0, []syscall.Signal{syscall.SIGTERM}},
		"deaf":  {true, 30 * time.Second, []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := actor{deaf: test.deaf}
				took := a.live(t, pod{Restart: corev1.RestartPolicyAlways, Grace: defaultGrace}, time.Minute)
				equal(t, "took", took, test.took)
				equal(t, "signals", a.signals, test.signals)
			})
		})
	}
}

// A liveness probe has a grace of its own, and its restart obeys the back-off.
func TestUnhealthyContainerIsRestarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := actor{deaf: true}
		live := &probe{
			Kind: "liveness", Period: time.Second, Timeout: time.Second, Failures: 3, Successes: 1, Grace: 5 * time.Second,
			Action: func(context.Context) error { return errors.New("dead") },
		}
		a.live(t, pod{Restart: corev1.RestartPolicyOnFailure, Grace: time.Second, Liveness: live}, 20*time.Second)
		s := time.Second
		// 2 s to the third failure, 5 s of grace, restart at once; 7 s later the back-off of 10 s.
		equal(t, "starts", a.began, []time.Duration{0, 7 * s})
		if !slices.Contains(a.signals, syscall.SIGKILL) {
			t.Errorf("signals %v", a.signals)
		}
	})
}

func TestLogbook(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	p := pod{Namespace: "n", Name: "p", Container: "c", Hash: "1"}
	for want := range 8 {
		book, next, err := openLogbook(state, p)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "next", next, want)
		if err := book.trim(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(book.file(next), []byte("a\nb\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	book, _, _ := openLogbook(state, p)
	equal(t, "kept", book.numbers(), []int{3, 4, 5, 6, 7})

	if err := os.WriteFile(book.file(7), make([]byte, keptBytes+7), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := book.trim(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(book.file(7))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "size", info.Size(), int64(keptBytes))
	equal(t, "mode", info.Mode(), os.FileMode(0o600))

	p.Hash = "2"
	book, next, err := openLogbook(state, p)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "another manifest", next, 0)
	old := logbook{book.dir + retiredTag, "c"}
	equal(t, "the old logs", old.numbers(), []int{4, 5, 6, 7})
	equal(t, "tail", tail(old.file(5)), []string{"a", "b"})
}
