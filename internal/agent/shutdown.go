package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tripod.dev/tripod/internal/host"
)

// Shutdown ends the agent of the options and all its pods, and waits until they are gone. Where no agent is left, it
// ends what that one left running, and so it does after one that hangs, which is killed; nothing at all is no error.
func Shutdown(ctx context.Context, o Options) error {
	o, err := o.resolved()
	if err != nil {
		return err
	}
	client := Client{Socket: o.Socket}
	state, err := client.State(ctx)
	if err == nil {
		err = client.end(ctx, state.PID)
		if err == nil {
			return nil
		}
	}
	switch {
	case ctx.Err() != nil:
		return err
	case errors.Is(err, host.ErrHangs):
		err = client.killHung()
	case state.PID == 0:
		err = nil // nobody answers
	}
	if err != nil {
		return err
	}
	return o.endOrphans(ctx)
}

// end shuts the agent down that has the process id. One that hangs meanwhile is an error.
func (c Client) end(ctx context.Context, pid int) error {
	h, err := open(pid)
	if err != nil {
		return err
	}
	if err := c.shutdown(ctx); err != nil {
		h.close()
		return err
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		defer h.close()
		h.wait()
	}()
	look := time.NewTicker(answerWithin)
	defer look.Stop()
	for {
		select {
		case <-gone:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("wait for the end of the agent %d: %w", pid, ctx.Err())
		case <-look.C:
			if err := c.Alive(ctx); errors.Is(err, host.ErrHangs) {
				return err
			}
		}
	}
}

// endOrphans is what an agent would do that finds processes and no manifests.
func (o Options) endOrphans(ctx context.Context) error {
	unlock, err := lockAll(o.Manifests, o.State)
	if err != nil {
		return err
	}
	defer unlock()
	found, err := scan(o.Manifests)
	if err != nil {
		return err
	}
	orphans := containers(found)
	for _, pod := range lastFirst(orphans) {
		adopt(orphans[pod]).end(ctx.Done(), orphans[pod].Grace)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("wait for the end of the pods: %w", err)
	}
	return nil
}
