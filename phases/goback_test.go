package phases

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tripod.dev/tripod/internal/host"
)

// toNext is an upgrade by a minor version.
func toNext(m *Master) {
	if next, err := m.WithVersion("v1.36.3"); err == nil {
		m.Config = next
	}
}

// onOlder is a stage on which a master of an earlier minor version lives.
func onOlder(t *testing.T) stage {
	t.Helper()
	s := newStage(t, clusterDocument+quick)
	older, err := s.c.WithVersion("v1.35.4")
	if err != nil {
		t.Fatal(err)
	}
	s.c = older
	s.bringUp(t)
	s.settle(t)
	return s
}

// An apiserver that goes back to its earlier version takes with it what was made for the next one, although that was healthy: a
// controller-manager must not be newer than an apiserver.
func TestGoesBackAsAWhole(t *testing.T) {
	t.Parallel()
	flags := func(m *Master) {
		otherAPIServer(m)
		otherManager(m)
	}
	for name, tt := range map[string]struct {
		change func(*Master)
		flag   string // what the apiserver is refused by
		stays  bool   // the controller-manager is what it has become
	}{
		"of another version": {toNext, "v1.36.3", false},
		"of other flags":     {flags, "--v=4", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := onOlder(t)
				before := s.manifests(t)
				m := s.living(t, solitary(t), tt.change)
				_, err := s.run(t.Context(), t, m, upgrade(t, m, attempts{"kube-apiserver": s.refusing("kube-apiserver", tt.flag, "no answer")}))
				var back *WentBackError
				if !errors.As(err, &back) {
					t.Errorf("did not go back: %v", err)
				}
				now := s.manifests(t)
				if manager := "kube-controller-manager"; now["kube-apiserver"] != before["kube-apiserver"] || now[manager] != before[manager] != tt.stays {
					t.Errorf("new are %s", s.replaced(t, before))
				}
			})
		})
	}
}

// All comes back side by side: what does not get healthy takes its time once, not once for each.
func TestGoesBackSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := grown(t, "")
		m := s.living(t, otherEtcd, otherAPIServer, otherManager, otherScheduler, solitary(t))
		nothing := func(context.Context, *Prober) error { return errors.New("connection refused") }
		begun := time.Now()
		_, err := s.run(t.Context(), t, m, upgrade(t, m, attempts{"etcd": nothing, "kube-apiserver": nothing, "kube-controller-manager": nothing, "kube-scheduler": nothing}))
		if took := time.Since(begun); took > 2*m.Health+3*headStart {
			t.Errorf("took %s", took)
		}
		for _, component := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
			mentions(t, err, "the earlier "+component+" is back, but: "+component+" is not healthy after 4m0s: connection refused")
		}
	})
}

// What could not be proved before the change is not waited for as if it could after it.
func TestGoesBackToTheUnwell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := grown(t, "")
		ill := func(m *Master) { m.Living.Unwell["kube-scheduler"] = errors.New("403 Forbidden") }
		m := s.living(t, otherScheduler, ill, solitary(t))
		begun := time.Now()
		_, err := s.run(t.Context(), t, m, upgrade(t, m, attempts{"kube-scheduler": func(context.Context, *Prober) error { return errors.New("still 403") }}))
		mentions(t, err, "the earlier kube-scheduler is back, and was not healthy before the change either: 403 Forbidden")
		if took := time.Since(begun); took > m.Health+2*answersAgain {
			t.Errorf("took %s", took)
		}
	})
}

func TestUnprovable(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	for name, tt := range map[string]struct {
		change []func(*Master)
		want   string
	}{
		"well":                        {nil, ""},
		"another runs":                {[]func(*Master){func(m *Master) { m.Running["etcd"] = host.Running{Revision: "f00"} }}, "revision f00 ran, not "},
		"none runs":                   {[]func(*Master){func(m *Master) { m.Running["etcd"] = host.Running{} }}, "revision none ran, not "},
		"nobody could say":            {[]func(*Master){func(m *Master) { delete(m.Running, "etcd") }}, ""},
		"does not answer":             {[]func(*Master){func(m *Master) { m.Living.Unwell["etcd"] = errors.New("no answer") }}, "no answer"},
		"a killed run took it":        {[]func(*Master){known(Healthy), begun("apply", "v1.36.3"), away, func(m *Master) { m.Living.Unwell["etcd"] = errors.New("no answer") }}, ""},
		"it was ill before that":      {[]func(*Master){known(Unwell), begun("apply", "v1.36.3"), away, func(m *Master) { m.Living.Unwell["etcd"] = errors.New("no answer") }}, "no answer"},
		"a killed run touched it not": {[]func(*Master){known(Healthy), begun("apply", "v1.36.3"), func(m *Master) { m.Living.Unwell["etcd"] = errors.New("no answer") }}, "no answer"},
	} {
		got := ""
		if err := s.living(t, tt.change...).unprovable("etcd"); err != nil {
			got = err.Error()
		}
		if tt.want == "" && got != "" || !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// away is a master whose etcd a killed run has taken away.
func away(m *Master) {
	delete(m.Manifests, "etcd.yaml")
	delete(m.Files, manifestPath(*m, "etcd"))
}

// A component that answers, and of which whoever runs the pods knows nothing, could not be proved after a change.
func TestStrangers(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	unseen := func(m *Master) { m.Running["etcd"] = host.Running{} }
	for name, tt := range map[string]struct {
		change []func(*Master)
		want   int
	}{
		"all are known":    {nil, 0},
		"one is not":       {[]func(*Master){unseen}, 1},
		"nor does answer":  {[]func(*Master){unseen, func(m *Master) { m.Living.Unwell["etcd"] = errors.New("no answer") }}, 0},
		"it is taken away": {[]func(*Master){unseen, away}, 0},
		"nobody could say": {[]func(*Master){func(m *Master) { delete(m.Running, "etcd") }}, 0},
		"it is left out":   {[]func(*Master){unseen, skipping("control-plane/etcd")}, 0},
		"nobody runs pods": {[]func(*Master){unseen, func(m *Master) { m.Alive = false }}, 0},
	} {
		if found := strangers(s.living(t, tt.change...)); len(found) != tt.want {
			t.Errorf("%s: %v", name, found)
		}
	}
}

// An interrupt ends a way back that has begun, and finds all files back; the next run goes on.
func TestInterruptEndsTheWayBack(t *testing.T) {
	t.Parallel()
	for name, twice := range map[string]bool{"of what has failed": false, "of what was interrupted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := grown(t, "")
				s.settle(t)
				before := s.manifests(t)
				m := s.living(t, otherEtcd, otherAPIServer, otherManager, otherScheduler, solitary(t))
				nothing := func(context.Context, *Prober) error { return errors.New("connection refused") }
				ctx, interrupt := context.WithCancel(t.Context())
				defer interrupt()
				s.abandoned = make(chan struct{})
				begun := time.Now()
				if twice {
					time.AfterFunc(time.Minute, interrupt)
					time.AfterFunc(time.Minute+time.Second, func() { close(s.abandoned) })
				} else {
					time.AfterFunc(m.Health+time.Second, interrupt)
				}
				_, err := s.run(ctx, t, m, upgrade(t, m, attempts{"etcd": nothing}))
				if took := time.Since(begun); !errors.Is(err, errAbandoned) || took > m.Health+time.Minute || twice && took > 2*time.Minute {
					t.Errorf("after %s: %v", took, err)
				}
				if got := s.replaced(t, before); got != "" {
					t.Errorf("new are %s", got)
				}
				if g := s.living(t).newest(); g.Verdict != UnderWay {
					t.Errorf("remembered is %v, %s", g, g.Verdict)
				}
			})
		})
	}
}
