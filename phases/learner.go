package phases

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tripod.dev/tripod/internal/etcd"
)

// appliedMetric is how far a member has applied its log; it tells so before it serves clients.
const appliedMetric = "etcd_server_proposals_applied_total"

// errMute is a learner whose log has caught up and that serves no clients.
var errMute = errors.New("the etcd member has caught up, but does not serve clients yet")

// proveLearner wants the member to run, its log to reach as far as the leader's did when this join began, and to serve
// clients. It refuses linearizable reads as long as it has no vote.
func proveLearner(ctx context.Context, p *Prober) error {
	return p.attempt(ctx, "etcd", func() error {
		caughtUp := p.caughtUp(ctx)
		if caughtUp != nil && !errors.Is(caughtUp, errUntold) {
			return caughtUp
		}
		ctx, stop := context.WithTimeout(ctx, muteFor)
		defer stop()
		err := p.ask(ctx, func(member *etcd.Member) error {
			_, err := member.Status(ctx)
			return err
		})
		if err != nil && caughtUp == nil {
			return fmt.Errorf("%w: %w", errMute, err)
		}
		return err
	})
}

// errUntold is a member that does not tell how far it is: its metrics are where the user has them.
var errUntold = errors.New("etcd tells no " + appliedMetric)

// caughtUp is nil if the member's log is long enough.
func (p *Prober) caughtUp(ctx context.Context) error {
	body, err := p.body(ctx, "etcd", p.master.etcdProbe().url(p.master.Loopback, "/metrics"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(body)) {
		text, found := strings.CutPrefix(line, appliedMetric+" ")
		if !found {
			continue
		}
		applied, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if goal := p.master.logged(); err == nil && uint64(applied) < goal {
			return fmt.Errorf("the etcd member catches up: %d of %d entries of the log", uint64(applied), goal)
		}
		return err
	}
	return errUntold
}

// muteFor is how long a learner that has caught up may serve no clients: it takes milliseconds.
const muteFor = 100 * time.Millisecond

// startAgain ends a learner that has caught up and stays mute, so that it is started again. etcd serves clients once it
// has seen its own name go through the log (server.go, publishV3). To a lonely leader that entry goes so fast that it
// comes back within the snapshot, where the learner does not look for it; it would try again after seven seconds. A
// learner has no vote, so nobody misses it meanwhile.
func startAgain(ctx context.Context, w *waiter, reason error) (done string, err error) {
	if !errors.Is(reason, errMute) {
		return "", nil
	}
	now, err := w.Runner.Pod(ctx, "etcd")
	if err != nil || now.PID == 0 {
		return "", err
	}
	if err := syscall.Kill(now.PID, syscall.SIGTERM); err != nil {
		return "", fmt.Errorf("ending etcd, to have it started again: %w", err)
	}
	return "the etcd member has caught up, and waits for what it has missed: it is started again", nil
}
