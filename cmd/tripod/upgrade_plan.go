package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/phases"
)

func newUpgradePlan() *cobra.Command {
	c := livingCommand{overrides: config.UpgradeOverrides{Verb: "plan"}}
	cmd := &cobra.Command{
		Use:   "plan [VERSION]",
		Short: "Show what runs in the cluster, and the way to a version",
		Long: `plan shows the version of every component on every machine, what it would be by an upgrade to VERSION (the newest
that tripod knows, if none is named), what would stop that, and where VERSION is more than one minor away, the
steps that lead there. It changes nothing, and asks nobody but this cluster.`,
		Example: `  tripod upgrade plan
  tripod upgrade plan v1.36.3 -o json`,
		Args: atMostOneVersion,
		RunE: func(cmd *cobra.Command, args []string) error { return c.plan(cmd, args) },
	}
	c.addFlags(cmd)
	return cmd
}

// upgradePlan is what plan shows; kubeadm's document of that kind, with what would stop it.
type upgradePlan struct {
	APIVersion string                 `json:"apiVersion"`
	Kind       string                 `json:"kind"`
	Components []phases.ComponentPlan `json:"components"`
	// Steps are the versions that lead to the target, one upgrade each.
	Steps []string `json:"steps"`
	// Warnings and Problems are what the checks before an upgrade would say.
	Warnings []string `json:"warnings,omitempty"`
	Problems []string `json:"problems,omitempty"`
}

func (c *livingCommand) plan(cmd *cobra.Command, args []string) error {
	if err := oneOf("output", c.show.output, "text", "json"); err != nil {
		return err
	}
	cfg, _, err := c.load()
	if err != nil {
		return err
	}
	if err := c.show.begin(cmd, false); err != nil {
		return err
	}
	p, err := c.planned(cmd.Context(), cfg, args)
	if err != nil {
		return err
	}
	if c.show.output == "json" {
		return printJSON(c.show.to, p)
	}
	return c.table(p, cmd)
}

// planned reads what there is, and plans the first step of the way.
func (c *livingCommand) planned(ctx context.Context, cfg config.Config, args []string) (upgradePlan, error) {
	site, err := joinSite(cfg)
	if err != nil {
		return upgradePlan{}, err
	}
	defer site.Kubelet.Close()
	known := config.SupportedVersions()
	target := known[len(known)-1].Tag()
	if t, err := c.target(cfg, args); err == nil {
		target = t
	}
	var steps []string
	wish := phases.Wish{Verb: "upgrade plan", Change: func(was config.Config) (config.Config, error) {
		wanted, err := was.WithVersion(target)
		if err != nil {
			return wanted, err
		}
		chain := config.Chain(was.Version, wanted.Version)
		for _, v := range chain {
			steps = append(steps, v.Tag())
		}
		if len(chain) > 1 {
			return was.WithVersion(chain[0].Tag())
		}
		return wanted, nil
	}}
	m, err := phases.GatherLiving(ctx, site, cfg, wish, func(string) {})
	if err != nil {
		return upgradePlan{}, err
	}
	_, warnings, err := phases.Plan(phases.Upgrade(), m)
	p := upgradePlan{APIVersion: "output.kubeadm.k8s.io/v1alpha3", Kind: "UpgradePlan", Components: m.ComponentPlans(), Steps: steps, Warnings: warnings}
	var unfit *phases.PreflightError
	if errors.As(err, &unfit) {
		p.Problems, err = complaints(unfit), nil
	}
	return p, err
}

func (c *livingCommand) table(p upgradePlan, cmd *cobra.Command) error {
	w := tabwriter.NewWriter(c.show.to, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "COMPONENT\tNODE\tCURRENT\tTARGET")
	for _, row := range p.Components {
		target := row.NewVersion
		if row.Manual {
			target += " (by its package)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", row.Name, row.NodeName, row.CurrentVersion, target)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, warning := range p.Warnings {
		fmt.Fprintln(c.show.to, yellow.in(c.show.to, "warning:"), warning)
	}
	for _, problem := range p.Problems {
		fmt.Fprintln(c.show.to, red.in(c.show.to, "stops it:"), problem)
	}
	switch {
	case len(p.Steps) == 0:
		fmt.Fprintln(c.show.to, "\nThe cluster has that version.")
		return nil
	case len(p.Steps) > 1:
		fmt.Fprintln(c.show.to, "\nThe way there is one minor version at a time; the table shows the first:")
	default:
		fmt.Fprintln(c.show.to, "\nTo upgrade, on this master, then on every other machine:")
	}
	for _, step := range p.Steps {
		fmt.Fprintf(c.show.to, "  %s upgrade apply %s\n  %s upgrade node   # on every other machine\n", cmd.Root().Name(), step, cmd.Root().Name())
	}
	return nil
}
