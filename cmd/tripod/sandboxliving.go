package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-multierror"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/sandbox"
	"tripod.dev/tripod/phases"
)

// asTheyAre brings masters back as what they are, and proves them. In the midst of an upgrade that is not what one
// configuration says: each runs the release that its manifests name.
func (r *raising) asTheyAre(ctx context.Context, chosen []sandbox.Master) error {
	if err := r.rouse(ctx, chosen); err != nil {
		return err
	}
	var all multierror.Group
	for _, m := range chosen {
		version := r.sandbox.Version(m)
		own := func(was config.Config) (config.Config, error) { return was.WithVersion(version) } // the cluster has the next one already
		all.Go(func() error { return r.living(ctx, m, phases.Wish{Verb: r.verb, Kept: true, Change: own}, nil) })
	}
	return all.Wait().ErrorOrNil()
}

// living makes a master that has been up what is wished. begin is what is written before anything else; nil for nothing.
func (r *raising) living(ctx context.Context, m sandbox.Master, wish phases.Wish, begin func() error) error {
	s := *r.sandbox
	o := config.UpgradeOverrides{Verb: "apply", Root: s.Root(m), Patches: s.Patches}
	cfg, _, err := config.LoadUpgrade(nil, "", o, config.Machine{Hostname: s.Node(m), DefaultIP: m.Address})
	if err != nil {
		return &inputError{err}
	}
	site, tell := sandboxSite(s, m), r.of(m.Name)
	site.Peers = peers(s, m)
	ended, took, err := bringUp{
		verb: r.verb, config: cfg, site: site, list: phases.Upgrade(), rootless: true, progress: tell, begin: begin,
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
