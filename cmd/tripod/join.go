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
		Short: "Join this machine to a cluster, as a worker or as a further master",
		Long: `join makes this machine a worker of the cluster whose apiserver answers at HOST:PORT, or with
--control-plane a further master of it. The cluster is trusted by the token that signed its
description and by the hash of its CA. Run again after an interruption it goes on; run again on a
node that has joined it changes nothing.

A master needs what all masters share, the certificate authorities and sa.key: uploaded and sealed
(--certificate-key), or copied to this machine before. Its etcd member joins as a learner and gets its
vote when its log has caught up, before the apiserver needs it; several masters that join at once queue
for that part by themselves.

The phases of a worker, in order:
` + phaseList(phases.Join()) + `
The phases of a master:
` + phaseList(phases.JoinMaster()),
		Example: `  tripod join 10.0.0.1:6443 --token TOKEN --discovery-token-ca-cert-hash sha256:HASH
  tripod join 10.0.0.1:6443 --token TOKEN --discovery-token-ca-cert-hash sha256:HASH --control-plane --certificate-key KEY
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
	all := phases.Join()
	if cfg.Join.ControlPlane != nil {
		all = phases.JoinMaster()
		cfg.Node.SkipPhases = withManifests(cfg.Node.SkipPhases)
	}
	list, unknown := phases.Without(all, cfg.Node.SkipPhases)
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
	durations(c.show.to, laps(ended), took)
	switch {
	case proved(ended, "kubelet-wait-bootstrap"):
		fmt.Fprintf(c.show.to, "\nThis node has joined the cluster. On a master, kubectl get nodes shows it.\n")
	case proved(ended, "wait-control-plane"):
		fmt.Fprintf(c.show.to, "\nThis master has joined the cluster. To use it:\n  export KUBECONFIG=%s/admin.conf\n  kubectl get nodes\n", cfg.Paths.Kubernetes)
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

// joinSite is this machine and its kubelet. Which images a master's pods have, the cluster says later.
func joinSite(c config.Config) (phases.Site, error) {
	h := host.Open("/")
	kubelet, err := h.NewKubelet(host.KubeletOptions{
		Node: c.Node.Registration.Name, Socket: c.Node.Registration.CRISocket, Files: phases.KubeletPaths(c), Dir: c.Paths.Kubelet,
	})
	return phases.Site{Host: h, Runner: kubelet, Kubelet: kubelet}, err
}

// discoveryExit is the exit code for what has gone wrong with finding the cluster.
func discoveryExit(kind discovery.Kind) int {
	switch kind {
	case discovery.BadToken, discovery.BadCA, discovery.BadFile:
		return exitInput
	case discovery.BadClock, discovery.NoEtcd, discovery.Forbidding:
		return exitPreflight
	}
	return exitFailed
}
