package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-multierror"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/internal/sandbox"
	"tripod.dev/tripod/phases"
)

// join has masters join, side by side: they queue by themselves for what one at a time can do. One that fails does not stop
// the others.
func (r *raising) join(ctx context.Context, chosen []sandbox.Master) error {
	var all multierror.Group
	for _, m := range chosen {
		all.Go(func() error {
			if err := r.joinOne(ctx, m); err != nil {
				return fmt.Errorf("%s: %w", m.Name, err)
			}
			return nil
		})
	}
	return all.Wait().ErrorOrNil()
}

// joinOne has one master join, or sees that one which has joined is well.
func (r *raising) joinOne(ctx context.Context, m sandbox.Master) error {
	s := *r.sandbox
	cfg, err := joinConfig(s, m)
	if err != nil {
		return &inputError{err}
	}
	site := sandboxSite(s, m)
	site.Peers = r.peers(m)
	if err := share(ctx, site.Host, s.Paths(elder(s)), s.Paths(m)); err != nil {
		return err
	}
	tell := r.of(m.Name)
	ended, took, err := bringUp{
		verb: r.verb, config: cfg, site: site, list: phases.JoinMaster(), progress: tell, locked: r.holds(m),
		gather: func(ctx context.Context) (phases.Master, error) {
			return phases.GatherJoin(ctx, site, cfg, func(reason string) {
				tell.tell(phases.Event{Time: time.Now(), Kind: phases.Waiting, Phase: "preflight", Text: reason})
			})
		},
	}.run(ctx)
	r.lap(m.Name, ended, took)
	return err
}

// joinConfig is how a master of the sandbox joins: it finds the cluster by the administrator's kubeconfig.
func joinConfig(s sandbox.Sandbox, m sandbox.Master) (config.Config, error) {
	o := config.JoinOverrides{
		Root: s.Root(m), Loopback: m.Address, NodeName: s.Node(m), AdvertiseAddress: m.Address.String(),
		ControlPlane: true, DiscoveryFile: adminConf(s), Patches: s.Patches,
	}
	cfg, _, err := config.LoadJoin(nil, "", o, config.Machine{Hostname: s.Node(m), DefaultIP: m.Address})
	cfg.Paths.Binaries = s.Binaries(m)
	return cfg, err
}

// peers are where the etcd members of the other masters are reached.
func peers(s sandbox.Sandbox, but sandbox.Master) []string {
	var urls []string
	for _, m := range s.Masters {
		if m.Name != but.Name {
			urls = append(urls, clientURL(m))
		}
	}
	return urls
}

// share copies what all masters have alike from one to another. What is there already stays: the join compares it.
func share(ctx context.Context, h *host.Host, from, to config.Paths) error {
	var files []host.File
	for _, name := range []string{
		"ca.key", "ca.crt", "front-proxy-ca.key", "front-proxy-ca.crt", "etcd/ca.key", "etcd/ca.crt", "sa.key", "sa.pub", // a key before its certificate
	} {
		file, exists, err := h.Read(filepath.Join(from.PKI, name))
		if err != nil {
			return err
		}
		place := filepath.Join(to.PKI, name)
		if _, there, err := h.Read(place); err != nil {
			return err
		} else if exists && !there {
			files = append(files, host.File{Path: place, Mode: file.Mode, Data: file.Data})
		}
	}
	if len(files) == 0 {
		return nil
	}
	if err := h.Mkdir(filepath.Join(to.PKI, "etcd"), 0o700); err != nil {
		return err
	}
	var copied []string
	for _, f := range files {
		copied = append(copied, "create "+f.Path)
	}
	return noted(from, "sandbox up", copied, func() error { return h.Commit(ctx, files...) })
}
