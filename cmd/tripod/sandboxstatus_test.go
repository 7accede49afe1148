package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/host"
)

// unanswering is a runner that does not answer, and why.
type unanswering struct {
	err  error
	pods *int
}

func (u unanswering) Start(context.Context) error { return u.err }
func (u unanswering) Alive(context.Context) error { return u.err }
func (u unanswering) Pod(context.Context, string) (host.Running, error) {
	*u.pods++
	return host.Running{}, u.err
}

// A master whose agent hangs is asked once, is not taken for a stopped one, and the table says why nothing is known.
func TestStatusOfHungAgent(t *testing.T) {
	t.Parallel()
	rows := func() []componentStatus {
		return []componentStatus{{Master: "s-m1", Component: "etcd", State: "stopped"}, {Master: "s-m1", Component: "kube-apiserver", State: "stopped"}}
	}
	for want, err := range map[string]error{"unknown": fmt.Errorf("agent (pid 7): %w", host.ErrHangs), "stopped": errors.New("connection refused")} {
		asked := 0
		got := masterRows(t.Context(), unanswering{err, &asked}, true, rows())
		if got[0].State != want || got[1].State != want || asked != 0 {
			t.Errorf("%v: %+v after %d calls", err, got, asked)
		}
		var out strings.Builder
		if err := statusTable(&out, got); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "s-m1: agent (pid 7)"); (want == "unknown") != (n == 1) {
			t.Errorf("told %d times:\n%s", n, &out)
		}
	}
}
