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
	// first is the configuration of a master that founds.
	first config.Config
	// patches is the directory of patches that a change is given; "" for those that the cluster keeps.
	patches string
	// renews says which certificates are to be renewed; nil for those that have ended or are about to.
	renews func(pair string) bool
	// counted are the masters whose etcd members make the cluster, where that was asked.
	counted []sandbox.Master
	// locked are the names of the masters that are locked.
	locked []string

	mu   sync.Mutex
	laps []lap
	// renewed are the names of the masters with new certificates on disk.
	renewed []string
	// server is where the cluster is reached, IP:PORT.
	server string
}

func newRaising(verb string, s *sandbox.Sandbox, p progress) *raising {
	return &raising{verb: verb, sandbox: s, progress: &inTurn{progress: sandboxProgress{p, s.Name}}, begun: time.Now()}
}

func (r *raising) warn(warnings []string) {
	for _, w := range warnings {
		r.progress.tell(phases.Event{Time: time.Now(), Kind: phases.Warned, Phase: "config", Text: w})
	}
}

// masters brings up those that are chosen. Those that have been up come back as they are; then what has not been up yet comes:
// the founder as the first master of a cluster, the balancer, the others by joining, side by side.
func (r *raising) masters(ctx context.Context, chosen []sandbox.Master) error {
	unlock, err := r.lock(chosen)
	if err != nil {
		return err
	}
	defer unlock()
	known, fresh := r.split(chosen)
	if err := r.leavesAnew(ctx, known); err != nil {
		return err
	}
	if err := r.wake(ctx, chosen); err != nil {
		return err
	}
	if known, fresh, err = r.takenOut(ctx, known, fresh); err != nil {
		return err
	}
	if len(known) > 0 {
		if err := r.asTheyAre(ctx, known); err != nil {
			return err
		}
	}
	return r.further(ctx, fresh)
}

// further brings up masters that have not been up yet, and the balancer.
func (r *raising) further(ctx context.Context, fresh []sandbox.Master) error {
	founder := func(m sandbox.Master) bool { return founds(*r.sandbox, m) }
	begin := r.begin // where nobody founds, the sandbox is there
	if i := slices.IndexFunc(fresh, founder); i >= 0 {
		begin = func() error { return r.found(ctx, fresh[i]) }
	}
	if err := begin(); err != nil {
		return err
	}
	if !r.sandbox.Endpoint.IsValid() {
		return nil
	}
	if err := r.balancer(ctx); err != nil {
		return err
	}
	return r.join(ctx, slices.DeleteFunc(slices.Clone(fresh), founder))
}

// lock keeps other tripods from those of the masters that are there already; a new one is locked when its plan is made.
func (r *raising) lock(chosen []sandbox.Master) (unlock func(), err error) {
	var all []func()
	unlock = func() {
		for _, each := range all {
			each()
		}
		r.locked = nil
	}
	for _, m := range chosen {
		if _, err := os.Stat(r.sandbox.Paths(m).State); err != nil {
			continue
		}
		one, err := lockMaster(*r.sandbox, m)
		if err != nil {
			unlock()
			return nil, err
		}
		all, r.locked = append(all, one), append(r.locked, m.Name)
	}
	return unlock, nil
}

func (r *raising) holds(m sandbox.Master) bool { return slices.Contains(r.locked, m.Name) }

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
		return !hasManifests(r.sandbox.Paths(m).Manifests) || founds(*r.sandbox, m) && !hasBeenUp(*r.sandbox, m)
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
func (r *raising) found(ctx context.Context, m sandbox.Master) error {
	r.server = r.first.Endpoint
	ended, took, err := bringUp{
		verb: r.verb, config: r.first, site: sandboxSite(*r.sandbox, m), list: phases.Init(),
		progress: r.of(m.Name), begin: r.begin, locked: r.holds(m),
	}.run(ctx)
	r.lap(m.Name, ended, took)
	return err
}

// balancer brings up what is in front of the masters.
func (r *raising) balancer(ctx context.Context) error {
	own, err := r.livingConfig(r.sandbox.Masters[0])
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(filepath.Join(r.sandbox.Paths(elder(*r.sandbox)).PKI, "ca.crt"))
	if err != nil {
		return fmt.Errorf("the cluster's CA, by which the balancer knows its backends: %w", err)
	}
	b := phases.Balancer{Endpoint: r.sandbox.Endpoint, Backends: r.sandbox.Backends(), CA: ca}
	o := balancerAgent(*r.sandbox)
	site, cfg := agentSite(o), config.Config{Paths: config.PathsUnder(r.sandbox.Balancer()), Health: own.Health}
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
