package phases

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
)

// looksBeside is how often etcd is looked at while an apiserver is waited for, and from when on.
const looksBeside = 2 * time.Second

// BesideEtcd waits for the cluster's API. An apiserver whose etcd has no quorum answers nobody, and does not say why: on a
// master etcd's members are asked beside it. That they have lost their quorum ends the wait, and what they say otherwise explains
// it.
func BesideEtcd(ctx context.Context, h *host.Host, c config.Config, wait func(context.Context) error) error {
	here, err := ReadEtcdHere(h, c)
	if err != nil || here.PeerURL == "" {
		return wait(ctx) // no master, or one whose files are not for us to read
	}
	trust, err := EtcdTrust(h, here.CertDir(c))
	if err != nil {
		return wait(ctx)
	}
	b := &beside{ask: func(ctx context.Context) (etcd.Cluster, error) { return etcd.Survey(ctx, here.Members(h, c), trust) }}
	return b.wait(ctx, wait)
}

// beside looks at etcd while somebody waits for what needs it.
type beside struct {
	ask func(context.Context) (etcd.Cluster, error)

	mu  sync.Mutex
	why error // etcd did not answer the last time
}

func (b *beside) wait(ctx context.Context, wait func(context.Context) error) error {
	ctx, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	go b.look(ctx, lost)
	err := wait(ctx)
	var unfit *PreflightError
	switch why := b.reason(); {
	case err == nil:
		return nil
	case errors.As(context.Cause(ctx), &unfit):
		return unfit
	case why != nil:
		return fmt.Errorf("%w\netcd, without which no apiserver answers, does not either: %s", err, strings.Join(Reasons(why), "; "))
	}
	return err
}

// look ends the wait once the quorum was lost two times in a row: masters that have just been switched on find each other first.
func (b *beside) look(ctx context.Context, lost context.CancelCauseFunc) {
	for before := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(looksBeside):
		}
		now, err := b.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		b.mu.Lock()
		b.why = err
		b.mu.Unlock()
		again := err == nil && now.Lost()
		if again && before {
			lost(&PreflightError{finding{id: "EtcdQuorum", problem: now.Quorum().Error()}})
			return
		}
		before = again
	}
}

func (b *beside) reason() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.why
}
