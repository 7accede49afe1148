package phases

import (
	"context"
	"errors"
	"testing"

	"tripod.dev/tripod/internal/host"
)

// hangs is a runner that is there and does not answer.
type hangs struct{}

func (hangs) Start(context.Context) error { return host.ErrHangs }
func (hangs) Alive(context.Context) error { return host.ErrHangs }
func (hangs) Pod(context.Context, string) (host.Running, error) {
	return host.Running{}, host.ErrHangs
}

// What runs under a runner that hangs is not known: no facts are made of it, and no data removed.
func TestRunnerHangs(t *testing.T) {
	s := newStage(t, "")
	m := s.gather(t)
	s.site.Runner = hangs{}
	_, init := gather(t.Context(), s.site, s.c, Facts{Rootless: true})
	_, balancer := Balancer{}.Gather(t.Context(), s.site, s.c)
	for name, err := range map[string]error{
		"init": init, "balancer": balancer, "a living master": m.askRunnerSoon(t.Context(), s.site.Runner), "data": m.setDataAside().do(t.Context(), s.site),
	} {
		if !errors.Is(err, host.ErrHangs) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
