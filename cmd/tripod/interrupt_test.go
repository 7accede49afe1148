package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// The signal after the one that has ended a run is told, and does not end tripod.
func TestInterruptedAgain(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	again, stop := interruptedAgain(ctx)
	defer stop()
	interrupt()
	kept := make(chan os.Signal, 1) // a signal that comes before the other listens does not end the test
	signal.Notify(kept, syscall.SIGTERM)
	defer signal.Stop(kept)
	enough := time.After(time.Minute)
	for {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		select {
		case <-again:
			return
		case <-time.After(10 * time.Millisecond):
		case <-enough:
			t.Fatal("nobody was told of the signal")
		}
	}
}

// Who is done hears of no signal any more.
func TestNotInterruptedAgain(t *testing.T) {
	again, stop := interruptedAgain(t.Context())
	stop()
	select {
	case <-again:
		t.Error("told of a signal")
	default:
	}
}
