package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/discovery"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

// joinCommand is tripod join.
type joinCommand struct {
	overrides config.JoinOverrides
	show      showPlan
}

func newJoinCommand() *cobra.Command {
	var c joinCommand
	cmd := &cobra.Command{
		Use:   "join [HOST:PORT]",
		Short: "Join this machine to a cluster as a worker",
		Long: `join makes this machine a worker of the cluster whose apiserver answers at HOST:PORT. The cluster is
trusted by the token that signed its description and by the hash of its CA; the kubelet's certificate
is asked for before the kubelet starts. Run again after an interruption it goes on; run again on a
node that has joined it changes nothing.

The phases, in order:
` + phaseList(phases.Join()),
		Example: `  tripod join 10.0.0.1:6443 --token TOKEN --discovery-token-ca-cert-hash sha256:HASH
  tripod join --discovery-file cluster.conf
  tripod join --config worker.yaml --dry-run   # what would be done`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("join takes one HOST:PORT\nhint: %s --help", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              c.run,
	}
	c.overrides.AddFlags(cmd.Flags())
	c.show.addFlags(cmd)
	return cmd
}

func (c *joinCommand) run(cmd *cobra.Command, args []string) error {
	if err := oneOf("output", c.show.output, "text", "json"); err != nil {
		return err
	}
	if len(args) > 0 {
		c.overrides.Endpoint = args[0]
	}
	cfg, warnings, err := c.load()
	if err != nil {
		return &inputError{err}
	}
	if c.overrides.ControlPlane || cfg.Join.ControlPlane != nil {
		return &inputError{fmt.Errorf("--control-plane (controlPlane of JoinConfiguration) is not supported: joining masters is not in this version\nhint: without it, the machine joins as a worker")}
	}
	list, unknown := phases.Without(phases.Join(), cfg.Node.SkipPhases)
	if unknown = unknownPhases(unknown, joinPhasesOfKubeadm()); len(unknown) > 0 {
		return &inputError{fmt.Errorf("--skip-phases: no phase is called %s\nhint: %s --help lists them", strings.Join(unknown, " or "), cmd.CommandPath())}
	}
	if err := c.show.begin(cmd, cfg.Node.DryRun); err != nil {
		return err
	}
	return c.join(cmd, cfg, list, warnings)
}

// join has the machine join, or shows the plan.
func (c *joinCommand) join(cmd *cobra.Command, cfg config.Config, list []phases.Phase, warnings []string) error {
	site, err := joinSite(cfg)
	if err != nil {
		return err
	}
	defer site.Kubelet.Close()
	b := bringUp{verb: "join", config: cfg, site: site, list: list, show: c.show, progress: c.show.progress()}
	tell := func(kind phases.Kind, phase, text string) {
		b.progress.tell(phases.Event{Time: time.Now(), Kind: kind, Phase: phase, Text: text})
	}
	for _, w := range warnings {
		tell(phases.Warned, "config", w)
	}
	b.gather = func(ctx context.Context) (phases.Master, error) {
		return phases.GatherJoin(ctx, site, cfg, func(reason string) { tell(phases.Waiting, "preflight", reason) })
	}
	ended, took, err := b.run(cmd.Context())
	b.progress.close()
	if err != nil || c.show.output == "json" || c.show.wanted() {
		return err
	}
	durations(c.show.to, ended, took)
	if proved(ended, "kubelet-wait-bootstrap") {
		fmt.Fprintf(c.show.to, "\nThis node has joined the cluster. On a master, kubectl get nodes shows it.\n")
	}
	return nil
}

// load reads the configuration file and the flags.
func (c *joinCommand) load() (config.Config, []string, error) {
	machine, err := thisMachine(host.Open("/"))
	if err != nil {
		return config.Config{}, nil, err
	}
	data, err := readGiven(c.overrides.ConfigFile)
	if err != nil {
		return config.Config{}, nil, err
	}
	return config.LoadJoin(data, c.overrides.ConfigFile, c.overrides, machine)
}

// joinSite is this machine and its kubelet; it runs no pods of tripod's.
func joinSite(c config.Config) (phases.Site, error) {
	h := host.Open("/")
	kubelet, err := h.NewKubelet(host.KubeletOptions{
		Node: c.Node.Registration.Name, Socket: c.Node.Registration.CRISocket, Files: phases.KubeletPaths(c),
	})
	return phases.Site{Host: h, Runner: kubelet, Kubelet: kubelet}, err
}

// discoveryExit is the exit code for what has gone wrong with finding the cluster.
func discoveryExit(kind discovery.Kind) int {
	switch kind {
	case discovery.BadToken, discovery.BadCA, discovery.BadFile:
		return exitInput
	case discovery.BadClock:
		return exitPreflight
	}
	return exitFailed
}
