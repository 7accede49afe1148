package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/internal/sandbox"
	"tripod.dev/tripod/manifests"
	"tripod.dev/tripod/phases"
)

// raising brings masters of a sandbox up, and their balancer.
type raising struct {
	verb     string
	sandbox  *sandbox.Sandbox
	progress progress
	// begin writes down what the sandbox is to be, before anything else is written.
	begin func() error
	begun time.Time

	mu   sync.Mutex
	laps []lap
}

func newRaising(verb string, s *sandbox.Sandbox, p progress) *raising {
	return &raising{verb: verb, sandbox: s, progress: &inTurn{progress: p}, begun: time.Now()}
}

func (r *raising) warn(warnings []string) {
	for _, w := range warnings {
		r.progress.tell(phases.Event{Time: time.Now(), Kind: phases.Warned, Phase: "config", Text: w})
	}
}

// masters brings up those that are chosen: the founder as the first master of a cluster, then the balancer, then the others by
// joining, side by side. cfg is the founder's configuration.
func (r *raising) masters(ctx context.Context, cfg config.Config, chosen []sandbox.Master) error {
	if err := r.wake(ctx, chosen); err != nil {
		return err
	}
	founder := func(m sandbox.Master) bool { return founds(*r.sandbox, m) }
	begin := r.begin // where nobody founds, the sandbox is there
	if i := slices.IndexFunc(chosen, founder); i >= 0 {
		begin = func() error { return r.found(ctx, cfg, chosen[i]) }
	}
	if err := begin(); err != nil {
		return err
	}
	if !r.sandbox.Endpoint.IsValid() {
		return nil
	}
	if err := r.balancer(ctx, cfg.Health); err != nil {
		return err
	}
	return r.join(ctx, slices.DeleteFunc(slices.Clone(chosen), founder))
}

// founds says whether m is the master that the cluster began with, or is to begin with. A first master whose files are lost
// joins again: what it would begin were another cluster, in the place of the one that the others still are.
func founds(s sandbox.Sandbox, m sandbox.Master) bool {
	if m.Name != s.Masters[0].Name {
		return false
	}
	if data, err := os.ReadFile(etcdManifest(s, m)); err == nil {
		return manifests.ManifestFlags(data)["initial-cluster-state"] != "existing"
	}
	return !slices.ContainsFunc(s.Masters, func(other sandbox.Master) bool {
		_, err := os.Stat(etcdManifest(s, other))
		return err == nil
	})
}

func etcdManifest(s sandbox.Sandbox, m sandbox.Master) string {
	return filepath.Join(s.Paths(m).Manifests, "etcd.yaml")
}

// wake starts the agents of masters that have been up before, and the balancer's: no member of etcd has a majority alone, so
// none would be proved healthy before the others run.
func (r *raising) wake(ctx context.Context, chosen []sandbox.Master) error {
	return r.rouse(ctx, slices.DeleteFunc(slices.Clone(chosen), func(m sandbox.Master) bool {
		return founds(*r.sandbox, m) || !hasManifests(r.sandbox.Paths(m).Manifests)
	}))
}

// rouse starts the agents of masters, and that of a balancer which has been up before.
func (r *raising) rouse(ctx context.Context, chosen []sandbox.Master) error {
	s := *r.sandbox
	var sites []phases.Site
	if hasManifests(balancerAgent(s).Manifests) {
		sites = append(sites, agentSite(balancerAgent(s)))
	}
	for _, m := range chosen {
		sites = append(sites, sandboxSite(s, m))
	}
	all, ctx := errgroup.WithContext(ctx)
	for _, site := range sites {
		all.Go(func() error { return site.Runner.Start(ctx) })
	}
	return all.Wait()
}

func hasManifests(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && len(entries) > 0
}

// found brings up the master that all others join.
func (r *raising) found(ctx context.Context, cfg config.Config, m sandbox.Master) error {
	ended, took, err := bringUp{
		verb: r.verb, config: cfg, site: sandboxSite(*r.sandbox, m), list: phases.Init(), rootless: true,
		progress: r.of(m.Name), begin: r.begin,
	}.run(ctx)
	r.lap(m.Name, ended, took)
	return err
}

// balancer brings up what is in front of the masters.
func (r *raising) balancer(ctx context.Context, within time.Duration) error {
	ca, err := os.ReadFile(filepath.Join(r.sandbox.Paths(elder(*r.sandbox)).PKI, "ca.crt"))
	if err != nil {
		return fmt.Errorf("the cluster's CA, by which the balancer knows its backends: %w", err)
	}
	b := phases.Balancer{Endpoint: r.sandbox.Endpoint, Backends: r.sandbox.Backends(), CA: ca}
	o := balancerAgent(*r.sandbox)
	site, cfg := agentSite(o), config.Config{Paths: config.PathsUnder(r.sandbox.Balancer()), Health: within}
	if err := linkProgram(ctx, site.Host, o.BinDir); err != nil {
		return err
	}
	if err := site.Runner.Start(ctx); err != nil {
		return err
	}
	_, _, err = bringUp{
		verb: r.verb, config: cfg, site: site, list: b.Phases(), progress: r.progress,
		gather: func(ctx context.Context) (phases.Master, error) { return b.Gather(ctx, site, cfg) },
	}.run(ctx)
	return err
}

// linkProgram makes tripod the one program of the directory.
func linkProgram(ctx context.Context, h *host.Host, dir string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	link := host.File{Path: filepath.Join(dir, "tripod"), Link: exe}
	if now, err := os.Readlink(link.Path); err == nil && now == exe {
		return nil
	}
	if err := h.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return h.Commit(ctx, link)
}

// of is the progress of one master; where there are several, their events say whose they are.
func (r *raising) of(master string) progress {
	if len(r.sandbox.Masters) == 1 {
		return r.progress
	}
	return progressOf{r.progress, master}
}

// lap notes how long a master took, or where there is but one, its phases.
func (r *raising) lap(master string, ended []phases.Event, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sandbox.Masters) > 1 {
		r.laps = append(r.laps, lap{master, took.Seconds()})
		return
	}
	r.laps = laps(ended)
}

// durations is the table at the end.
func (r *raising) durations(w io.Writer) { durations(w, r.laps, time.Since(r.begun)) }
