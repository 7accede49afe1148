package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/internal/sandbox"
	"tripod.dev/tripod/phases"
)

// hasBeenUp says whether a master was proved as a whole before. What is known of it may be damaged: then it is told when it
// is read for use.
func hasBeenUp(s sandbox.Sandbox, m sandbox.Master) bool {
	up, _ := phases.HasBeenUp(host.Open("/"), config.Config{Paths: s.Paths(m)})
	return up
}

// split parts the masters that have been up from those that have not.
func (r *raising) split(chosen []sandbox.Master) (known, fresh []sandbox.Master) {
	for _, m := range chosen {
		if hasBeenUp(*r.sandbox, m) {
			known = append(known, m)
		} else {
			fresh = append(fresh, m)
		}
	}
	return known, fresh
}

// asTheyAre proves masters as what they are: each runs what its manifests say, whatever a configuration says meanwhile. What a
// killed run has left half done, and what still runs by certificates that were renewed, is started anew when the others are
// well, one master after the other.
func (r *raising) asTheyAre(ctx context.Context, known []sandbox.Master) error {
	var unsettled []sandbox.Master
	var mu sync.Mutex
	var all multierror.Group
	for _, m := range known {
		all.Go(func() error {
			proved, err := r.proveAsItIs(ctx, m)
			if err == nil && !proved {
				mu.Lock()
				defer mu.Unlock()
				unsettled = append(unsettled, m)
			}
			return err
		})
	}
	if err := all.Wait().ErrorOrNil(); err != nil {
		return err
	}
	var rest multierror.Group
	for _, m := range unsettled {
		rest.Go(func() error { return r.living(ctx, m, r.kept(m), nil) })
	}
	return rest.Wait().ErrorOrNil()
}

// kept is the wish for a master to be what it is, of the version that it has: the cluster may have the next one already.
func (r *raising) kept(m sandbox.Master) phases.Wish {
	version := r.sandbox.Version(m)
	own := func(was config.Config) (config.Config, error) { return was.WithVersion(version) }
	return phases.Wish{Verb: r.verb, Kept: true, Change: own}
}

// proveAsItIs waits until all four components of the master are healthy. It does not prove what is to be started anew
// because it is half done; and what is proved, but runs by certificates of before, is not settled either.
func (r *raising) proveAsItIs(ctx context.Context, m sandbox.Master) (settled bool, err error) {
	cfg, err := r.livingConfig(m)
	if err != nil {
		return false, err
	}
	site := sandboxSite(*r.sandbox, m)
	now, err := phases.GatherAsItIs(ctx, site, cfg, r.kept(m))
	if err != nil {
		return false, fmt.Errorf("%s: %w", m.Name, err)
	}
	if now.HalfDone() {
		return false, nil
	}
	ended, took, err := bringUp{
		verb: r.verb, config: cfg, site: site, list: phases.AsItIs(), progress: r.of(m.Name), locked: r.holds(m),
		gather: func(context.Context) (phases.Master, error) { return now, nil },
	}.run(ctx)
	r.lap(m.Name, ended, took)
	if err != nil {
		return false, fmt.Errorf("%s: %w", m.Name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.server = now.Endpoint
	return !now.Outlived() && !slices.Contains(r.renewed, m.Name), nil
}

// living makes a master that has been up what is wished. begin is what is written before anything else; nil for nothing.
func (r *raising) living(ctx context.Context, m sandbox.Master, wish phases.Wish, begin func() error) error {
	cfg, err := r.livingConfig(m)
	if err != nil {
		return err
	}
	site, tell := sandboxSite(*r.sandbox, m), r.of(m.Name)
	site.Peers = peers(*r.sandbox, m)
	ended, took, err := bringUp{
		verb: r.verb, config: cfg, site: site, list: phases.Upgrade(), progress: tell, begin: begin, locked: r.holds(m),
		gather: func(ctx context.Context) (phases.Master, error) {
			return phases.GatherLiving(ctx, site, cfg, wish, func(reason string) {
				tell.tell(phases.Event{Time: time.Now(), Kind: phases.Waiting, Phase: "preflight", Text: reason})
			})
		},
	}.run(ctx)
	r.lap(m.Name, ended, took)
	if err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	return nil
}

// livingConfig is what a master that has been up begins to read itself with.
func (r *raising) livingConfig(m sandbox.Master) (config.Config, error) {
	s := *r.sandbox
	o := config.UpgradeOverrides{Verb: "apply", Root: s.Root(m), Patches: r.patches}
	cfg, _, err := config.LoadUpgrade(nil, "", o, config.Machine{Hostname: s.Node(m), DefaultIP: m.Address})
	if err != nil {
		return cfg, &inputError{err}
	}
	return cfg, nil
}
