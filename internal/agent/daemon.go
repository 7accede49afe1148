package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tripod.dev/tripod/internal/host"
)

// answerEvery is how often a new agent is asked whether it is there: it needs some 50 ms.
const answerEvery = 5 * time.Millisecond

// StartDaemon starts exe (tripod) as the agent of the options, apart from this process, and returns when it answers. One
// that is at work already is left alone if it runs the same.
func StartDaemon(ctx context.Context, exe string, o Options) error {
	o, err := o.resolved()
	if err != nil {
		return err
	}
	client := Client{Socket: o.Socket}
	state, err := client.State(ctx)
	switch {
	case err == nil:
		return o.sameAs(state)
	case errors.Is(err, host.ErrHangs) || ctx.Err() != nil:
		return err
	}
	exe, err = filepath.Abs(exe)
	if err != nil {
		return err
	}
	ended, err := o.spawn(exe)
	if err != nil {
		return fmt.Errorf("start the agent: %w", err)
	}
	return client.awaitAgent(ctx, ended, o.logFile())
}

// sameAs is an error if the agent that answers has been told something else.
func (o Options) sameAs(state State) error {
	if state.Manifests == o.Manifests && state.BinDir == o.BinDir && state.Dir == o.State {
		return nil
	}
	return fmt.Errorf("the agent at %s runs %s with programs of %s, not %s with %s\nhint: shut it down first",
		o.Socket, state.Manifests, state.BinDir, o.Manifests, o.BinDir)
}

func (o Options) logFile() string { return filepath.Join(o.State, "agent.log") }

// spawn starts the process; ended is told how it ended.
func (o Options) spawn(exe string) (ended <-chan error, err error) {
	log, err := os.OpenFile(o.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(exe, o.arguments()...)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	end := make(chan error, 1)
	go func() { end <- cmd.Wait() }()
	return end, nil
}

// arguments are those of the agent command.
func (o Options) arguments() []string {
	args := []string{"agent", "--manifests=" + o.Manifests, "--bin-dir=" + o.BinDir, "--state=" + o.State, "--socket=" + o.Socket}
	if o.StopPodsOnExit {
		args = append(args, "--stop-pods-on-exit")
	}
	return args
}

// beginsWithin is far more than an agent needs until it answers, be the machine as busy as it may.
const beginsWithin = time.Minute

// awaitAgent waits until the agent answers. One that ends instead may have lost against another, which then answers.
func (c Client) awaitAgent(ctx context.Context, ended <-chan error, log string) error {
	ctx, stop := context.WithTimeout(ctx, beginsWithin)
	defer stop()
	ticker := time.NewTicker(answerEvery)
	defer ticker.Stop()
	var last error
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the agent: %w", errors.Join(context.Cause(ctx), last))
		case err := <-ended:
			if c.Alive(ctx) == nil {
				return nil
			}
			return fmt.Errorf("the agent has ended: %w\n%s", err, strings.Join(tail(log), "\n"))
		case <-ticker.C:
			err := c.Alive(ctx)
			if err == nil {
				return nil
			}
			if ctx.Err() == nil {
				last = err
			}
		}
	}
}
