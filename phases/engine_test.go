package phases

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// actor plays a runner: what the manifests on disk ask for runs at once, unless a part says otherwise.
type actor struct {
	host *host.Host
	dir  string

	mu      sync.Mutex
	parts   map[string]func(revision string) (host.Running, error)
	started bool
}

func (a *actor) Start(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.started = true
	return nil
}

func (a *actor) Alive(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.started {
		return errors.New("not started")
	}
	return nil
}

func (a *actor) Pod(_ context.Context, component string) (host.Running, error) {
	f, exists, err := a.host.Read(filepath.Join(a.dir, component+".yaml"))
	if err != nil || !exists {
		return host.Running{}, err
	}
	revision := manifests.RevisionOf(f.Data)
	a.mu.Lock()
	part := a.parts[component]
	a.mu.Unlock()
	if part != nil {
		return part(revision)
	}
	return host.Running{Revision: revision, State: host.Started, PID: 1}, nil
}

// plays gives a component a part.
func (a *actor) plays(component string, part func(revision string) (host.Running, error)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.parts[component] = part
}

// stage is a directory in which a sandbox's master is brought up by an actor.
type stage struct {
	site  Site
	actor *actor
	c     config.Config
	// abandoned ends a way back.
	abandoned chan struct{}
}

func newStage(t testing.TB, documents string) stage {
	t.Helper()
	o := config.Overrides{
		Root: t.TempDir(), Loopback: netip.MustParseAddr("127.66.0.1"), AdvertiseAddress: "127.66.0.1",
		NodeName: "node-1", KubernetesVersion: "v1.36.3",
	}
	source := ""
	if documents != "" {
		source = "test.yaml"
	}
	c, _, err := config.Load([]byte(documents), source, o, config.Machine{Hostname: "node-1"})
	if err != nil {
		t.Fatal(err)
	}
	h := host.Open("/")
	a := &actor{host: h, dir: c.Paths.Manifests, parts: map[string]func(string) (host.Running, error){}}
	return stage{site: Site{Host: h, Runner: a}, actor: a, c: c}
}

func (s stage) gather(t testing.TB) Master {
	t.Helper()
	f, err := gather(t.Context(), s.site, s.c, Facts{Rootless: true})
	if err != nil {
		t.Fatal(err)
	}
	return Master{Config: s.c, Facts: f}
}

func (s stage) plan(t testing.TB) (Master, []Step) {
	t.Helper()
	m := s.gather(t)
	steps, _, err := Plan(Init(), m)
	if err != nil {
		t.Fatal(err)
	}
	return m, steps
}

// run applies steps and returns what was told.
func (s stage) run(ctx context.Context, t testing.TB, m Master, steps []Step) ([]Event, error) {
	t.Helper()
	if err := s.site.Host.Mkdir(s.c.Paths.State, 0o700); err != nil {
		t.Fatal(err)
	}
	journal, err := s.site.Host.Journal(m.JournalPath())
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	var told []Event
	err = Apply(ctx, Application{Site: s.site, Verb: "init", Master: m, Journal: journal, Abandoned: s.abandoned, Tell: func(e Event) { told = append(told, e) }}, steps)
	return told, err
}

// changesOf are the changes of a plan, one after the other.
func changesOf(steps []Step) []Change {
	var all []Change
	for _, s := range steps {
		all = append(all, s.Changes...)
	}
	return all
}

// healthyAfter is a proof that is given when so much time has gone since the first attempt.
func healthyAfter(d time.Duration) func(context.Context, *Prober) error {
	var once sync.Once
	var begun time.Time
	return func(context.Context, *Prober) error {
		once.Do(func() { begun = time.Now() })
		if left := d - time.Since(begun); left > 0 {
			return errors.New("connection refused")
		}
		return nil
	}
}

// texts are events as lines: the second in which they were told, kind, phase, text.
func texts(begun time.Time, told []Event) []string {
	var lines []string
	for _, e := range told {
		line := fmt.Sprintf("%.0fs %s %s", e.Time.Sub(begun).Truncate(time.Second).Seconds(), e.Kind, e.Phase)
		if text, _, _ := strings.Cut(e.Text, "\n"); text != "" {
			line += ": " + text
		}
		lines = append(lines, line)
	}
	return lines
}
