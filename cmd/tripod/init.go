package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

// initCommand is tripod init, with its phases below it.
type initCommand struct {
	overrides config.Overrides
	show      showPlan
}

func newInitCommand() *cobra.Command {
	var c initCommand
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Bring up the first master of a cluster",
		Long: `init makes this machine the first master of a cluster: certificates, kubeconfigs, the kubelet,
and etcd, kube-apiserver, kube-controller-manager and kube-scheduler as static pods, each proved
healthy before the next one needs it; then what the cluster has to hold for others to join it, its
DNS and its proxy. Run again after an interruption it goes on.

A cluster that is up belongs to its operators: run again there, init adds what this machine lacks and
changes nothing, neither here nor in the cluster; what was removed from the cluster stays away, unless
its phase is asked for by name. What is given and is not what runs is refused, and named: tripod upgrade
and tripod apply change it.

The phases, in order:
` + phaseList(phases.Init()),
		Example: `  tripod init --config master.yaml --diff     # what would be done
  tripod init --config master.yaml
  tripod init --dry-run --write-to /tmp/look  # the files, to look at, without root`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd, phases.Init()) },
	}
	c.addFlags(cmd)
	cmd.AddCommand(newInitPhase())
	return cmd
}

func (c *initCommand) addFlags(cmd *cobra.Command) {
	c.overrides.AddFlags(cmd.Flags())
	c.show.addFlags(cmd)
	_ = cmd.RegisterFlagCompletionFunc("skip-phases", completePhases)
	for _, name := range []string{"token", "token-ttl", "certificate-key"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	_ = cmd.MarkFlagDirname("cert-dir")
}

// run brings the master up with the phases of list, or shows the plan.
func (c *initCommand) run(cmd *cobra.Command, list []phases.Phase) error {
	if err := oneOf("output", c.show.output, "text", "json"); err != nil {
		return err
	}
	cfg, warnings, err := c.load()
	if err != nil {
		return &inputError{err}
	}
	_, unknown := phases.Without(phases.Init(), cfg.Node.SkipPhases) // the list may be a single phase
	list, _ = phases.Without(list, cfg.Node.SkipPhases)
	if unknown = unknownPhases(unknown, initPhasesOfKubeadm()); len(unknown) > 0 {
		return &inputError{fmt.Errorf("--skip-phases: no phase is called %s\nhint: %s init phase list", strings.Join(unknown, " or "), cmd.Root().Name())}
	}
	if err := c.show.begin(cmd, cfg.Node.DryRun); err != nil {
		return err
	}
	site, err := realSite(cfg)
	if err != nil {
		return err
	}
	defer site.Kubelet.Close()
	b := bringUp{verb: "init", config: cfg, site: site, list: list, show: c.show, progress: c.show.progress()}
	return c.bringUp(cmd, b, warnings)
}

func (c *initCommand) bringUp(cmd *cobra.Command, b bringUp, warnings []string) error {
	for _, w := range warnings {
		b.progress.tell(phases.Event{Time: time.Now(), Kind: phases.Warned, Phase: "config", Text: w})
	}
	var m phases.Master
	b.done = func(up phases.Master) { m = up.WithTokens(cmd.Context()) }
	ended, took, err := b.run(cmd.Context())
	if err == nil && !c.show.wanted() && c.show.output == "json" {
		joinEvents(b.progress, cmd.Root().Name(), m, ended)
	}
	b.progress.close()
	if err != nil || c.show.output == "json" || c.show.wanted() {
		return err
	}
	durations(c.show.to, laps(ended), took)
	farewell(c.show.to, cmd.Root().Name(), m, ended)
	return nil
}

// load reads the configuration file and the flags.
func (c *initCommand) load() (config.Config, []string, error) {
	machine, err := thisMachine(host.Open("/"))
	if err != nil {
		return config.Config{}, nil, err
	}
	machine.Token = bootstrap.DrawToken().String()
	data, err := readGiven(c.overrides.ConfigFile)
	if err != nil {
		return config.Config{}, nil, err
	}
	return config.Load(data, c.overrides.ConfigFile, c.overrides, machine)
}
