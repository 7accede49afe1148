package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/sandbox"
	"tripod.dev/tripod/phases"
)

// sandboxApply is tripod sandbox apply.
type sandboxApply struct {
	sandboxFlags
	config, patches string
}

func newSandboxApply() *cobra.Command {
	var a sandboxApply
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Change the configuration of a sandbox that lives, one master after the other",
		Long: `apply makes the masters of a sandbox what a ClusterConfiguration says, one after the other as "tripod apply" does on
machines, and stores that in the cluster. Without a file it makes them what the cluster says. A master that does not
get healthy goes back to what it was, and ends the change.`,
		Example: `  tripod sandbox apply -f cluster.yaml
  tripod sandbox apply --name a --patches patches/`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd) },
	}
	a.addName(cmd)
	a.addOutput(cmd, "text, or json: one event a line")
	cmd.Flags().StringVarP(&a.config, "file", "f", "", "`file` with a ClusterConfiguration")
	cmd.Flags().StringVar(&a.patches, "patches", "", "`directory` of patches for the manifests")
	_ = cmd.MarkFlagFilename("file", "yaml", "yml")
	_ = cmd.MarkFlagDirname("patches")
	return cmd
}

func (a *sandboxApply) run(cmd *cobra.Command) error {
	if err := oneOf("output", a.output, "text", "json"); err != nil {
		return err
	}
	s, err := a.load()
	if err != nil {
		return err
	}
	if err := ready(s); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	r := newRaising("sandbox apply", &s, newProgress(out, a.output))
	if err = r.awaken(cmd.Context()); err == nil {
		err = a.apply(cmd.Context(), r)
	}
	r.progress.close()
	if err != nil || a.output == "json" {
		return err
	}
	r.durations(out)
	return statusTable(out, status(cmd.Context(), s))
}

// apply changes the masters in turn. The first one stores the configuration in the cluster, where the others find it.
func (a *sandboxApply) apply(ctx context.Context, r *raising) error {
	wish, err := a.wish(r)
	if err != nil {
		return &inputError{err}
	}
	if a.patches != "" {
		if r.patches, err = filepath.Abs(a.patches); err != nil {
			return err
		}
	}
	for _, m := range leaderLast(ctx, *r.sandbox) {
		if err := r.living(ctx, m, wish, nil); err != nil {
			return err
		}
		wish.Leads, wish.Change = false, nil
	}
	if r.patches == "" {
		return nil
	}
	return r.sandbox.Change(func(now *sandbox.Sandbox) { now.Patches = r.patches })
}

// wish is what the file says; without one, what the cluster says.
func (a *sandboxApply) wish(r *raising) (phases.Wish, error) {
	wish := phases.Wish{Verb: r.verb}
	if a.config == "" {
		return wish, nil
	}
	data, err := config.ReadFile(a.config)
	if err != nil {
		return wish, err
	}
	wish.Leads, wish.Change = true, func(was config.Config) (config.Config, error) {
		wanted, warnings, err := was.WithDocuments(data, a.config)
		r.warn(warnings)
		return wanted, err
	}
	return wish, nil
}
