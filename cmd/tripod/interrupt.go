package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interruptedAgain is closed by the signal after the one that has ended ctx. The one after that ends tripod there and then.
func interruptedAgain(ctx context.Context) (again <-chan struct{}, stop func()) {
	twice, signals, ended := make(chan struct{}), make(chan os.Signal, 1), make(chan struct{})
	deaf := context.AfterFunc(ctx, func() {
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(signals)
		select {
		case <-signals:
			close(twice)
		case <-ended:
		}
	})
	return twice, func() {
		deaf()
		close(ended)
	}
}
