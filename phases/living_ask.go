package phases

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// askAround asks etcd's members, this master's components, and the cluster, side by side.
func (m *Master) askAround(ctx context.Context, s Site) error {
	now := *m
	var members Known[etcd.Cluster]
	var well map[string]error
	var c ofCluster
	var all errgroup.Group
	all.Go(func() error {
		members = now.membersNow(ctx, s, func(string) {})
		return nil
	})
	all.Go(func() error { well = now.unwell(ctx); return nil })
	all.Go(func() error { c = now.readCluster(ctx); return nil })
	err := all.Wait()
	*m = m.knowing(c)
	m.Etcd, m.Living.Unwell = members, well
	m.Living.Leads = m.Living.Leads || m.takesBack()
	if err != nil {
		return err
	}
	return m.askRunner(ctx, s.Runner) // again: what answers by now may have come up while it was waited for
}

// unwell asks the components how they are, as they were made before: why those are not healthy that are not, nor get so in a
// moment.
func (m Master) unwell(ctx context.Context) map[string]error {
	ctx, stop := context.WithTimeout(ctx, answerWithin)
	defer stop()
	prober := NewProber(m.before())
	defer prober.Close()
	why := map[string]error{}
	var mu sync.Mutex
	var all errgroup.Group
	for _, component := range manifests.Components() {
		all.Go(func() error {
			if err := prober.soon(ctx, componentProof(component).Attempt); err != nil {
				mu.Lock()
				defer mu.Unlock()
				why[component] = err
			}
			return nil
		})
	}
	_ = all.Wait()
	return why
}

// soon is nil if the proof is given before ctx is over, otherwise the last reason.
func (p *Prober) soon(ctx context.Context, attempt func(context.Context, *Prober) error) error {
	for {
		err := attempt(ctx, p)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(probeEvery):
		}
	}
}

// aliveWithin is how long a kubelet may take that a killed run has started anew.
const aliveWithin = 10 * time.Second

// askRunnerSoon is askRunner, once who runs the pods answers, or has not in time.
func (f *Facts) askRunnerSoon(ctx context.Context, r host.Runner) error {
	soon, stop := context.WithTimeout(ctx, aliveWithin)
	defer stop()
	for {
		err := r.Alive(soon)
		switch {
		case errors.Is(err, host.ErrHangs):
			return err
		case err == nil || soon.Err() != nil:
			return f.askRunner(context.WithoutCancel(ctx), r)
		}
		select {
		case <-soon.Done():
		case <-time.After(probeEvery):
		}
	}
}
