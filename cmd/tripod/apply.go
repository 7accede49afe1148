package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/phases"
)

func newApplyCommand() *cobra.Command {
	c := livingCommand{overrides: config.UpgradeOverrides{Verb: "configure"}}
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Change the configuration of a living cluster: flags, names in certificates, volumes, images, patches",
		Long: `apply makes this master what a ClusterConfiguration says, and stores that in the cluster. Without a file it makes
this master what the cluster says: so the other masters follow. Certificates that lack a name are issued
anew, components whose manifests or certificates change are restarted and proved; nothing else is touched.
What somebody has added to manifests by hand goes, and is named before.
Patches are stored in the cluster, too, and need not be given again.
` + howItChanges + phaseList(phases.Upgrade()),
		Example: `  tripod config print > cluster.yaml   # or: kubectl -n kube-system get cm kubeadm-config -o jsonpath='{.data.ClusterConfiguration}'
  tripod apply -f cluster.yaml --diff
  tripod apply -f cluster.yaml
  tripod apply                         # on every other master`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, warnings, err := c.load()
			if err != nil {
				return err
			}
			wish, err := c.configure(cmd)
			if err != nil {
				return err
			}
			_, err = c.run(cmd, cfg, warnings, wish)
			return err
		},
	}
	c.addFlags(cmd)
	return cmd
}

// configure is what a file with a configuration wishes; without one, what the cluster says.
func (c *livingCommand) configure(cmd *cobra.Command) (phases.Wish, error) {
	path := c.overrides.Documents
	if path == "" {
		return phases.Wish{Verb: "apply", Leads: c.overrides.Patches != ""}, nil
	}
	data, err := readGiven(path)
	if err != nil {
		return phases.Wish{}, &inputError{err}
	}
	return phases.Wish{Verb: "apply", Leads: true, Change: func(was config.Config) (config.Config, error) {
		wanted, warnings, err := was.WithDocuments(data, path)
		for _, w := range warnings {
			fmt.Fprintln(cmd.ErrOrStderr(), yellow.in(cmd.ErrOrStderr(), "warning:"), w)
		}
		return wanted, err
	}}, nil
}
