package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/internal/sandbox"
	"tripod.dev/tripod/phases"
)

func newSandboxRenew() *cobra.Command {
	var f sandboxFlags
	names := append([]string{"all"}, phases.Renewable()...)
	cmd := &cobra.Command{
		Use:   "renew [NAME]",
		Short: "Renew certificates of a sandbox, and restart what uses them",
		Long: `renew issues certificates of all masters anew, as "tripod certs renew" does on a machine: first on every disk, so
that masters whose certificates have ended find each other again, then what uses them is restarted, one master after the
other, and proved. "sandbox up" and "sandbox start" do so by themselves with what has ended or ends within 30 days, and
what lives for less than 90 days in the last third of its life.

NAME is all, which is the default, or one of:
  ` + strings.Join(names[1:], "\n  "),
		Example:   "  tripod sandbox status   # EXPIRES is when the first certificate of a component ends\n  tripod sandbox renew\n  tripod sandbox renew apiserver --name a",
		ValidArgs: names,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && !slices.Contains(names, args[0]) {
				return &inputError{fmt.Errorf("renew takes the name of one certificate, or all\nhint: there are %s", strings.Join(names, ", "))}
			}
			return nil
		},
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := oneOf("output", f.output, "text", "json"); err != nil {
			return err
		}
		s, err := f.load()
		if err != nil {
			return err
		}
		if err := ready(s); err != nil {
			return err
		}
		return f.renew(cmd, s, append(args, "all")[0])
	}
	f.addName(cmd)
	f.addOutput(cmd, "text, or json: one event a line")
	return cmd
}

// ready wants all masters of a sandbox to be there for a change of each.
func ready(s sandbox.Sandbox) error {
	if to := s.Upgrade; to != nil {
		return &inputError{unfinished(s)}
	}
	for _, m := range s.Masters {
		switch {
		case m.Stopped:
			return &inputError{fmt.Errorf("%s is stopped, and would be left behind\nhint: start it first: tripod sandbox start --name %s %s", m.Name, s.Name, m.Name)}
		case !hasBeenUp(s, m):
			return &inputError{fmt.Errorf("%s has not come up yet\nhint: tripod sandbox up --name %s goes on with it", m.Name, s.Name)}
		}
	}
	return nil
}

func (f *sandboxFlags) renew(cmd *cobra.Command, s sandbox.Sandbox, name string) error {
	out := cmd.OutOrStdout()
	r := newRaising("sandbox renew", &s, newProgress(out, f.output))
	r.begin, r.renews = func() error { return nil }, phases.Renewing(name)
	err := r.masters(cmd.Context(), s.Masters)
	r.progress.close()
	if err != nil || f.output == "json" {
		return err
	}
	r.durations(out)
	return statusTable(out, status(cmd.Context(), s))
}

// leavesAnew renews certificates of masters on disk: those that are asked for, or that have ended or are about to. On all
// disks before anything is started anew: members whose certificates have ended would not find each other again one by one.
func (r *raising) leavesAnew(ctx context.Context, known []sandbox.Master) error {
	var all multierror.Group
	for _, m := range known {
		due := r.due(m)
		if due == nil {
			continue
		}
		r.renewed = append(r.renewed, m.Name)
		all.Go(func() error {
			if err := r.leavesOf(ctx, m, due); err != nil {
				return fmt.Errorf("%s: %w", m.Name, err)
			}
			return nil
		})
	}
	return all.Wait().ErrorOrNil()
}

// due says which certificates of the master are to be renewed; nil for none.
func (r *raising) due(m sandbox.Master) func(pair string) bool {
	if r.renews != nil {
		return r.renews
	}
	var names, files []string
	now := host.Now()
	for _, e := range expirations(*r.sandbox, m) {
		if e.Due(now) {
			names, files = append(names, e.Pair()), append(files, e.Name)
		}
	}
	if names == nil {
		return nil
	}
	r.of(m.Name).tell(phases.Event{Time: time.Now(), Kind: phases.Warned, Phase: "certs",
		Text: "have ended or are about to, and are renewed: " + strings.Join(files, ", ")})
	return func(pair string) bool { return slices.Contains(names, pair) }
}

// expirations are those of a master's certificates.
func expirations(s sandbox.Sandbox, m sandbox.Master) []phases.Expiration {
	return phases.ReadExpirations(host.Open("/"), config.Config{Paths: s.Paths(m)})
}

func (r *raising) leavesOf(ctx context.Context, m sandbox.Master, due func(string) bool) error {
	cfg, err := r.livingConfig(m)
	if err != nil {
		return err
	}
	site, wish := sandboxSite(*r.sandbox, m), r.kept(m)
	wish.Renew = due
	_, _, err = bringUp{
		verb: r.verb, config: cfg, site: site, list: phases.Leaves(), progress: r.of(m.Name), locked: r.holds(m),
		gather: func(ctx context.Context) (phases.Master, error) { return phases.GatherAsItIs(ctx, site, cfg, wish) },
	}.run(ctx)
	return err
}
