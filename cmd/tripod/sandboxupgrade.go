package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/sandbox"
	"tripod.dev/tripod/phases"
)

// sandboxUpgrade is tripod sandbox upgrade.
type sandboxUpgrade struct {
	sandboxFlags
	to, binDir string
}

func newSandboxUpgrade() *cobra.Command {
	var u sandboxUpgrade
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Upgrade a sandbox, one master after the other",
		Long: `upgrade brings the masters of a sandbox to another version of Kubernetes, one after the other as "tripod upgrade
apply" and "tripod upgrade node" do on machines; the one whose etcd leads comes last. A master that does not
get healthy goes back to what it was, and ends the upgrade; run again it goes on with what is left.`,
		Example: `  tripod sandbox upgrade --to v1.36.3
  tripod sandbox upgrade --name old --to v1.36.3 --bin-dir bin/components/v1.36.3`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return u.run(cmd) },
	}
	u.addName(cmd)
	u.addOutput(cmd, "text, or json: one event a line")
	newest := config.SupportedVersions()
	cmd.Flags().StringVar(&u.to, "to", newest[len(newest)-1].Tag(), "`version` of Kubernetes")
	cmd.Flags().StringVar(&u.binDir, "bin-dir", "", "`directory` of its component binaries (default: components/VERSION beside tripod)")
	_ = cmd.MarkFlagDirname("bin-dir")
	return cmd
}

func (u *sandboxUpgrade) run(cmd *cobra.Command) error {
	if err := oneOf("output", u.output, "text", "json"); err != nil {
		return err
	}
	s, err := u.load()
	if err != nil {
		return err
	}
	target, err := config.ParseVersion(u.to)
	if err != nil {
		return &inputError{fmt.Errorf("--to: %w", err)}
	}
	if u.binDir, err = binariesOf(u.binDir, target); err != nil {
		return &inputError{err}
	}
	if i := slices.IndexFunc(s.Masters, func(m sandbox.Master) bool { return m.Stopped }); i >= 0 {
		return &inputError{fmt.Errorf("%s is stopped, and would be left behind\nhint: tripod sandbox start --name %s %s", s.Masters[i].Name, s.Name, s.Masters[i].Name)}
	}
	return u.masters(cmd.Context(), cmd.OutOrStdout(), &s)
}

// masters upgrades them in turn.
func (u *sandboxUpgrade) masters(ctx context.Context, out io.Writer, s *sandbox.Sandbox) error {
	r := newRaising("sandbox upgrade", s, newProgress(out, u.output))
	defer r.progress.close()
	for i, m := range leaderLast(ctx, *s) {
		if err := u.master(ctx, r, m, i == 0); err != nil {
			return err
		}
	}
	if u.output == "json" {
		return nil
	}
	r.durations(out)
	return statusTable(out, status(ctx, *s))
}

// leaderLast are the masters, but that whose etcd leads is the last: the others need not elect one meanwhile.
func leaderLast(ctx context.Context, s sandbox.Sandbox) []sandbox.Master {
	who := roles(ctx, s)
	order := slices.Clone(s.Masters)
	slices.SortStableFunc(order, func(a, b sandbox.Master) int {
		leads := map[bool]int{true: 1}
		return leads[who[s.Node(a)] == "leader"] - leads[who[s.Node(b)] == "leader"]
	})
	return order
}

// master upgrades one. The first stores the version in the cluster, where the others find it.
func (u *sandboxUpgrade) master(ctx context.Context, r *raising, m sandbox.Master, first bool) error {
	s := r.sandbox
	o := config.UpgradeOverrides{Verb: "apply", Root: s.Root(m), Patches: s.Patches}
	cfg, _, err := config.LoadUpgrade(nil, "", o, config.Machine{Hostname: s.Node(m), DefaultIP: m.Address})
	if err != nil {
		return &inputError{err}
	}
	site, tell := sandboxSite(*s, m), r.of(m.Name)
	site.Peers = peers(*s, m)
	wish := phases.Wish{Verb: r.verb, Leads: first, RenewWithVersion: true, Change: func(was config.Config) (config.Config, error) {
		was.Paths.Binaries = u.binDir
		return was.WithVersion(u.to)
	}}
	ended, took, err := bringUp{
		verb: r.verb, config: cfg, site: site, list: phases.Upgrade(), rootless: true, progress: tell,
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
	return s.Change(func(now *sandbox.Sandbox) { now.SetVersion(m.Name, u.to, u.binDir) })
}
