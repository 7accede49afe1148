package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"tripod.dev/tripod/e2e/kind"
)

// shared is what kind copies from the first master to each other one before that joins, below /etc/kubernetes.
var shared = []string{
	"admin.conf", "pki/ca.crt", "pki/ca.key", "pki/front-proxy-ca.crt", "pki/front-proxy-ca.key",
	"pki/sa.pub", "pki/sa.key", "pki/etcd/ca.crt", "pki/etcd/ca.key",
}

// master is what a master's node is called by its number.
func master(number int) string {
	if number == 1 {
		return "control-plane"
	}
	return fmt.Sprint("control-plane", number)
}

// share copies to a master what it shares with the first, as kind does.
func (n *bare) share(ctx context.Context, node string) error {
	read := n.b.engine.Command(ctx, append([]string{"exec", n.name + "-" + master(1), "tar", "--create", "--directory=/etc/kubernetes"}, shared...)...)
	write := func(w io.Writer) error {
		read.Stdout = w
		return read.Run()
	}
	_, err := n.b.engine.Feed(ctx, write, "exec", "--interactive", n.name+"-"+node, "tar", "--extract", "--directory=/etc/kubernetes")
	return err
}

// kindMaster times the join of a second master.
func kindMaster(r kind.Recipe) func(context.Context, *bench) (sample, error) {
	return joins(r, 2, 0, func(ctx context.Context, n *bare) (sample, error) { return n.join(ctx, master(2)) })
}

// fiveAtOnce times five masters that join the first side by side, until the last has joined.
func fiveAtOnce(ctx context.Context, b *bench) (sample, error) {
	return joins(ours, 6, 0, func(ctx context.Context, n *bare) (sample, error) {
		began := time.Now()
		all, ctx := errgroup.WithContext(ctx)
		for i := range 5 {
			all.Go(func() error {
				_, err := n.join(ctx, master(i+2))
				return err
			})
		}
		err := all.Wait()
		return sample{Seconds: time.Since(began).Seconds()}, err
	})(ctx, b)
}
