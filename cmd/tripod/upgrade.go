package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/phases"
)

func newUpgradeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Upgrade a cluster, one master after the other",
		Long: `upgrade brings a cluster to another version of Kubernetes. On the first master: plan shows what there is to
do, diff what would change, apply does it and tells the cluster. On every other machine then: node.
A cluster that kubeadm has made is upgraded as any other.`,
		Example: `  tripod upgrade plan v1.36.3
  tripod upgrade diff v1.36.3
  tripod upgrade apply v1.36.3   # on the first master
  tripod upgrade node            # on every other machine`,
	}
	cmd.AddCommand(newUpgradePlan(), newUpgradeDiff(), newUpgradeApply(), newUpgradeNode())
	return cmd
}

// howItChanges is what is the same for all that changes a living master.
const howItChanges = `
What runs is kept first, for the way back. Images are pulled and etcd is saved before anything stops. One
master of the cluster at a time stops what changes, and none whose etcd member the others can not do without.
What does not get healthy is put back, and proved (exit code 4). Run again after an interruption it goes on.

The phases, in order:
`

func newUpgradeApply() *cobra.Command {
	c := livingCommand{overrides: config.UpgradeOverrides{Verb: "apply"}, question: "Change the control plane of this cluster?"}
	cmd := &cobra.Command{
		Use:   "apply [VERSION]",
		Short: "Upgrade this master, the first of its cluster, and tell the cluster its new version",
		Long: `apply upgrades this master to VERSION, and stores the version in the cluster for all others, which follow
with upgrade node. One minor version at a time.
` + howItChanges + phaseList(phases.Upgrade()),
		Example: `  tripod upgrade apply v1.36.3 --dry-run
  tripod upgrade apply v1.36.3 --yes`,
		Args: atMostOneVersion,
		RunE: func(cmd *cobra.Command, args []string) error { return c.apply(cmd, args) },
	}
	c.addFlags(cmd)
	return cmd
}

func atMostOneVersion(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return &inputError{fmt.Errorf("%s takes one VERSION\nhint: %s --help", cmd.Name(), cmd.CommandPath())}
	}
	return nil
}

// target is the version that the command line, or the configuration, asks for.
func (c *livingCommand) target(cfg config.Config, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	if cfg.Upgrade.KubernetesVersion == "" {
		return "", &inputError{errors.New("nobody says which version\nhint: name it, v1.36.3; tripod upgrade plan shows what there is")}
	}
	return cfg.Upgrade.KubernetesVersion, nil
}

func (c *livingCommand) apply(cmd *cobra.Command, args []string) error {
	cfg, warnings, err := c.load()
	if err != nil {
		return err
	}
	target, err := c.target(cfg, args)
	if err != nil {
		return err
	}
	wish := phases.Wish{Verb: "upgrade apply", Leads: true, RenewWithVersion: cfg.Upgrade.CertificateRenewal,
		Change: func(was config.Config) (config.Config, error) { return was.WithVersion(target) }}
	m, err := c.run(cmd, cfg, warnings, wish)
	if err == nil && c.show.output == "text" && m.Version.Major > 0 {
		fmt.Fprintf(c.show.to, "\n[upgrade] SUCCESS! A control plane node of your cluster was upgraded to %q.\n\nOn every other machine: tripod upgrade node\n", m.Version.Tag())
	}
	return err
}

func newUpgradeNode() *cobra.Command {
	c := livingCommand{overrides: config.UpgradeOverrides{Verb: "node"}}
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Upgrade this machine to what the cluster is told to be",
		Long: `node upgrades a further master, after upgrade apply on the first, or a worker, of which it changes the
kubelet's configuration. Several may be started at once: they wait for each other.
` + howItChanges + phaseList(phases.Upgrade()),
		Example: "  tripod upgrade node",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, warnings, err := c.load()
			if err != nil {
				return err
			}
			_, err = c.run(cmd, cfg, warnings, phases.Wish{Verb: "upgrade node", RenewWithVersion: cfg.Upgrade.CertificateRenewal})
			return err
		},
	}
	c.addFlags(cmd)
	return cmd
}

func newUpgradeDiff() *cobra.Command {
	c := livingCommand{overrides: config.UpgradeOverrides{Verb: "diff"}}
	cmd := &cobra.Command{
		Use:   "diff [VERSION]",
		Short: "Show what an upgrade would change: all four manifests, certificates, objects",
		Long: `diff shows the whole plan of upgrade apply, line by line, and changes nothing. What can not be taken back
by putting back files is said.`,
		Example: "  tripod upgrade diff v1.36.3",
		Args:    atMostOneVersion,
		RunE: func(cmd *cobra.Command, args []string) error {
			c.show.diff = true
			return c.apply(cmd, args)
		},
	}
	c.addFlags(cmd)
	return cmd
}
