package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

// livingCommand is a verb that changes a living master: what is wanted of it, and how that is shown.
type livingCommand struct {
	overrides config.UpgradeOverrides
	show      showPlan
	// question is what is asked before anything is done; "" asks nothing.
	question string
}

// addFlags adds the flags of the verb.
func (c *livingCommand) addFlags(cmd *cobra.Command) {
	c.overrides.AddFlags(cmd.Flags())
	addOutput(cmd, &c.show.output, "text, or json: one event a line, or the plan as one document", "text", "json")
	if cmd.Flags().Lookup("dry-run") != nil {
		cmd.Flags().BoolVar(&c.show.diff, "diff", false, "show what would change, line by line, and do nothing")
	}
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	_ = cmd.MarkFlagFilename("kubeconfig", "conf", "yaml")
	_ = cmd.MarkFlagDirname("patches")
	_ = cmd.MarkFlagDirname("cert-dir")
}

// load reads the configuration file and the flags, and how this machine runs its pods.
func (c *livingCommand) load() (config.Config, []string, error) {
	h := host.Open("/")
	machine, err := thisMachine(h)
	if err != nil {
		return config.Config{}, nil, err
	}
	data, err := readGiven(c.overrides.ConfigFile)
	if err != nil {
		return config.Config{}, nil, err
	}
	cfg, warnings, err := config.LoadUpgrade(data, c.overrides.ConfigFile, c.overrides, machine)
	if err != nil {
		return cfg, warnings, &inputError{err}
	}
	return cfg, warnings, nil
}

// run changes this machine as wished, or shows the plan. It returns what was changed, the zero Master if nothing was.
func (c *livingCommand) run(cmd *cobra.Command, cfg config.Config, warnings []string, wish phases.Wish) (phases.Master, error) {
	if err := oneOf("output", c.show.output, "text", "json"); err != nil {
		return phases.Master{}, err
	}
	if err := c.show.begin(cmd, cfg.Node.DryRun); err != nil {
		return phases.Master{}, err
	}
	site, err := joinSite(cfg)
	if err != nil {
		return phases.Master{}, err
	}
	list, err := livingPhases(cmd, site.Host, cfg)
	if err != nil {
		return phases.Master{}, err
	}
	defer site.Kubelet.Close()
	b := bringUp{verb: wish.Verb, config: cfg, site: site, list: list, show: c.show, progress: c.show.progress()}
	defer b.progress.close()
	for _, w := range warnings {
		b.progress.tell(phases.Event{Time: time.Now(), Kind: phases.Warned, Phase: "config", Text: w})
	}
	return c.change(cmd, b, wish)
}

// change gathers, plans, asks, and applies.
func (c *livingCommand) change(cmd *cobra.Command, b bringUp, wish phases.Wish) (done phases.Master, err error) {
	b.gather = func(ctx context.Context) (phases.Master, error) {
		return phases.GatherLiving(ctx, b.site, b.config, wish, func(reason string) {
			b.progress.tell(phases.Event{Time: time.Now(), Kind: phases.Waiting, Phase: "preflight", Text: reason})
		})
	}
	if b.config.Upgrade.PrintConfig {
		b.gather = printing(c.show.notes, b.gather)
	}
	b.confirm = func(steps []phases.Step) (bool, error) {
		if !wanted(steps) {
			return false, nil
		}
		return true, c.confirmed(cmd, b, steps)
	}
	b.done = func(m phases.Master) { done = m }
	ended, took, err := b.run(cmd.Context())
	if err != nil || c.show.wanted() || c.show.output == "json" {
		return done, err
	}
	if len(ended) == 0 {
		fmt.Fprintln(c.show.to, "Nothing to change.")
		return done, nil
	}
	durations(c.show.to, laps(ended), took)
	return done, nil
}

// livingPhases are those of a master, or of a worker, without those that are left out.
func livingPhases(cmd *cobra.Command, h *host.Host, cfg config.Config) ([]phases.Phase, error) {
	list, unknown := phases.Without(phases.Upgrade(), cfg.Node.SkipPhases)
	master, err := phases.IsMaster(h, cfg)
	if err != nil {
		return nil, err
	}
	if !master {
		list, _ = phases.Without(phases.UpgradeWorker(), cfg.Node.SkipPhases)
	}
	if unknown = unknownPhases(unknown, upgradePhasesOfKubeadm()); len(unknown) > 0 {
		return nil, &inputError{fmt.Errorf("--skip-phases: no phase is called %s\nhint: %s --help lists them", strings.Join(unknown, " or "), cmd.CommandPath())}
	}
	return list, nil
}

// confirmed asks for a yes where the verb has a question that nobody has answered beforehand.
func (c *livingCommand) confirmed(cmd *cobra.Command, b bringUp, steps []phases.Step) error {
	if c.question == "" || b.config.Upgrade.Yes || b.config.Upgrade.Force {
		return nil
	}
	return confirm(cmd, c.show, steps, c.question, "--yes")
}

// printing prints the configuration of the cluster that is planned by, when it is known.
func printing(w io.Writer, gather func(context.Context) (phases.Master, error)) func(context.Context) (phases.Master, error) {
	return func(ctx context.Context) (phases.Master, error) {
		m, err := gather(ctx)
		if err != nil {
			return m, err
		}
		document, err := m.ClusterDocument()
		if err == nil {
			_, err = w.Write(document)
		}
		return m, err
	}
}
