package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
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
	cmd.Flags().StringVar(&u.to, "to", "", "`version` of Kubernetes (default: that of an upgrade that has begun, or the newest known)")
	cmd.Flags().StringVar(&u.binDir, "bin-dir", "", "`directory` of its component binaries (default: components/VERSION beside tripod)")
	_ = cmd.RegisterFlagCompletionFunc("to", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var tags []string
		for _, v := range config.SupportedVersions() {
			tags = append(tags, v.Tag())
		}
		return tags, cobra.ShellCompDirectiveNoFileComp
	})
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
	to, err := u.release(cmd.Context(), s)
	if err != nil {
		return &inputError{err}
	}
	if i := slices.IndexFunc(s.Masters, func(m sandbox.Master) bool { return m.Stopped }); i >= 0 {
		return &inputError{fmt.Errorf("%s is stopped, and would be left behind\nhint: start it first: tripod sandbox start --name %s %s", s.Masters[i].Name, s.Name, s.Masters[i].Name)}
	}
	return u.upgrade(cmd.Context(), cmd.OutOrStdout(), s, to)
}

// release is what the sandbox is to become.
func (u *sandboxUpgrade) release(ctx context.Context, s sandbox.Sandbox) (sandbox.Release, error) {
	known := config.SupportedVersions()
	wanted := cmp.Or(u.to, known[len(known)-1].Tag())
	if u.to == "" && s.Upgrade != nil {
		wanted = s.Upgrade.KubernetesVersion
	}
	v, err := config.KubernetesVersion(wanted)
	if err != nil {
		return sandbox.Release{}, err
	}
	dir, err := binariesOf(ctx, cmp.Or(u.binDir, s.BinariesOf(v.Tag())), v)
	return sandbox.Release{KubernetesVersion: v.Tag(), BinDir: dir}, err
}

// upgrade upgrades the masters, and tells what has become of them.
func (u *sandboxUpgrade) upgrade(ctx context.Context, out io.Writer, s sandbox.Sandbox, to sandbox.Release) error {
	r := newRaising("sandbox upgrade", &s, newProgress(out, u.output))
	err := r.awaken(ctx)
	if err == nil {
		err = r.upgrade(ctx, to)
	}
	r.progress.close()
	if err != nil || u.output == "json" {
		return err
	}
	r.durations(out)
	return statusTable(out, status(ctx, s))
}

// awaken brings a sandbox back whose agents do not all run, as after the machine was started anew: a master is stopped only
// where the others are well.
func (r *raising) awaken(ctx context.Context) error {
	s := *r.sandbox
	asleep := func(m sandbox.Master) bool { return sandboxSite(s, m).Runner.Alive(ctx) != nil }
	if !slices.ContainsFunc(s.Masters, asleep) {
		return nil
	}
	start := newRaising("sandbox start", r.sandbox, r.progress)
	start.begin = func() error { return nil }
	return start.masters(ctx, s.Masters)
}

// upgrade upgrades the masters in turn. The first one stores the version in the cluster, where the others find it.
func (r *raising) upgrade(ctx context.Context, to sandbox.Release) error {
	wish := phases.Wish{Verb: r.verb, Leads: true, RenewWithVersion: true, Change: func(was config.Config) (config.Config, error) {
		was.Paths.Binaries = to.BinDir
		return was.WithVersion(to.KubernetesVersion)
	}}
	begin := func() error { return r.sandbox.Change(func(now *sandbox.Sandbox) { now.Upgrade = &to }) }
	for _, m := range leaderLast(ctx, *r.sandbox) {
		if err := r.living(ctx, m, wish, begin); err != nil {
			return err
		}
		if err := r.sandbox.Change(func(now *sandbox.Sandbox) { now.SetRelease(m.Name, to) }); err != nil {
			return err
		}
		host.Killpoint("upgraded a master of the sandbox")
		wish.Leads = false
	}
	return nil
}

// leaderLast are the masters, but that whose etcd leads is the last: the others need not elect one meanwhile.
func leaderLast(ctx context.Context, s sandbox.Sandbox) []sandbox.Master {
	who := roles(ctx, s)
	leads := func(m sandbox.Master) bool { return who[s.Node(m)] == "leader" }
	return slices.Concat(slices.DeleteFunc(slices.Clone(s.Masters), leads),
		slices.DeleteFunc(slices.Clone(s.Masters), func(m sandbox.Master) bool { return !leads(m) }))
}
