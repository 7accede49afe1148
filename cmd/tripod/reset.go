package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

// resetCommand is tripod reset, with its phases below it.
type resetCommand struct {
	overrides config.ResetOverrides
	show      showPlan
}

func newResetCommand() *cobra.Command {
	var c resetCommand
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Take this machine out of its cluster: undo what init or join have made here",
		Long: `reset takes this machine out of its cluster. A master's etcd member is removed first, by the others and
under the cluster-wide lock, if those who remain healthy are a majority of those who remain. If that
can not be, or nobody answers, reset refuses, and etcd's data stay; where the cluster is gone for
good, --skip-phases remove-etcd-member says so. The only member of a cluster ends with it.

Then the kubelet is stopped, its pods end, what it has mounted is unmounted, and what init and join have
written is removed: static pods, certificates, kubeconfigs, the kubelet's files, etcd's data, and last
what tripod knows of the machine. Data of etcd's that reach further than the cluster that goes on without them
are kept beside their place, and named. Run again after an interruption it goes on; run again afterwards it has
nothing to do. The pod network's configuration, packet filter rules and kubeconfigs in home directories stay.

The phases, in order:
` + phaseList(phases.Reset()),
		Example: `  tripod reset --dry-run     # what would be done
  tripod reset
  tripod reset --force --skip-phases remove-etcd-member   # of a cluster that is gone for good`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd, phases.Reset()) },
	}
	c.addFlags(cmd)
	cmd.AddCommand(newResetPhase())
	return cmd
}

func newResetPhase() *cobra.Command {
	var c resetCommand
	names := resetPhases()
	cmd := &cobra.Command{
		Use:   "phase NAME",
		Short: "Run one phase of reset",
		Long: `phase runs one phase of reset: ` + strings.Join(names, ", ") + `.
cleanup-node asks etcd first whether this master's member is out, unless remove-etcd-member is skipped.`,
		Example: `  tripod reset phase remove-etcd-member`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("phase takes the name of a phase\nhint: there are %s", strings.Join(names, ", "))
			}
			return nil
		},
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			list := phases.Only(phases.Reset(), args[0])
			if len(list) == 0 {
				return &inputError{fmt.Errorf("no phase of reset is called %s\nhint: there are %s", args[0], strings.Join(names, ", "))}
			}
			return c.run(cmd, list)
		},
	}
	c.addFlags(cmd)
	return cmd
}

func resetPhases() []string {
	var names []string
	for _, p := range phases.Reset() {
		names = append(names, p.Name)
	}
	return names
}

func (c *resetCommand) addFlags(cmd *cobra.Command) {
	c.overrides.AddFlags(cmd.Flags())
	addOutput(cmd, &c.show.output, "text, or json: one event a line, or the plan as one document", "text", "json")
	_ = cmd.RegisterFlagCompletionFunc("skip-phases", cobra.FixedCompletions(resetPhases(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	_ = cmd.MarkFlagFilename("kubeconfig", "conf", "yaml")
	_ = cmd.MarkFlagDirname("cert-dir")
}

// run resets this machine with the phases of list, or shows the plan.
func (c *resetCommand) run(cmd *cobra.Command, list []phases.Phase) error {
	if err := oneOf("output", c.show.output, "text", "json"); err != nil {
		return err
	}
	cfg, err := c.load()
	if err != nil {
		return &inputError{err}
	}
	_, unknown := phases.Without(phases.Reset(), cfg.Node.SkipPhases) // the list may be a single phase
	if len(unknown) > 0 {
		return &inputError{fmt.Errorf("--skip-phases: no phase is called %s\nhint: %s --help lists them", strings.Join(unknown, " or "), cmd.CommandPath())}
	}
	list, _ = phases.Without(list, cfg.Node.SkipPhases)
	if err := c.show.begin(cmd, cfg.Node.DryRun); err != nil {
		return err
	}
	return c.reset(cmd, cfg, list)
}

// load reads the configuration file and the flags, and what this machine says of its container runtime.
func (c *resetCommand) load() (config.Config, error) {
	machine, err := thisMachine(host.Open("/"))
	if err != nil {
		return config.Config{}, err
	}
	data, err := readGiven(c.overrides.ConfigFile)
	if err != nil {
		return config.Config{}, err
	}
	cfg, _, err := config.LoadReset(data, c.overrides.ConfigFile, c.overrides, machine)
	if err != nil || cfg.Reset.CRISocket != "" {
		return cfg, err
	}
	if cfg.Node.Registration.CRISocket == "" {
		err = fmt.Errorf("there are several container runtimes: %s\nhint: choose one with --cri-socket", strings.Join(machine.CRISockets, ", "))
	}
	return cfg, err
}

func (c *resetCommand) reset(cmd *cobra.Command, cfg config.Config, list []phases.Phase) error {
	kubeconfig, err := c.kubeconfig()
	if err != nil {
		return err
	}
	site, err := joinSite(cfg)
	if err != nil {
		return err
	}
	defer site.Kubelet.Close()
	b := bringUp{verb: "reset", config: cfg, site: site, list: list, show: c.show, progress: c.show.progress()}
	b.gather = func(ctx context.Context) (phases.Master, error) {
		return phases.GatherReset(ctx, site, cfg, kubeconfig, func(reason string) {
			b.progress.tell(phases.Event{Time: time.Now(), Kind: phases.Waiting, Phase: "preflight", Text: reason})
		})
	}
	b.confirm = func(steps []phases.Step) (bool, error) {
		if !wanted(steps) {
			c.nothing(b.progress)
			return false, nil
		}
		return true, c.confirmed(cmd, cfg.Reset.Force, steps)
	}
	b.done = func(m phases.Master) { c.farewell(b.progress, m, list) }
	ended, took, err := b.run(cmd.Context())
	b.progress.close()
	if err == nil && len(ended) > 0 && c.show.output == "text" {
		durations(c.show.to, laps(ended), took)
	}
	return err
}

// kubeconfig is the file that --kubeconfig names, nil if it names none.
func (c *resetCommand) kubeconfig() ([]byte, error) {
	if c.overrides.Kubeconfig == "" {
		return nil, nil
	}
	data, err := readKubeconfig(c.overrides.Kubeconfig)
	if err != nil {
		return nil, &inputError{err}
	}
	return data, nil
}

func wanted(steps []phases.Step) bool {
	return slices.ContainsFunc(steps, func(s phases.Step) bool { return len(s.Changes) > 0 })
}
