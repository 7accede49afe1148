package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/phases"
)

func newCertsRenew() *cobra.Command {
	c := livingCommand{overrides: config.UpgradeOverrides{Verb: "renew"}}
	names := append([]string{"all"}, phases.Renewable()...)
	cmd := &cobra.Command{
		Use:   "renew NAME",
		Short: "Renew certificates of this master, restart what uses them, and prove it",
		Long: `renew issues certificates anew before they end, or after: on a master that is down because they have
expired, too. Their names come from the cluster's configuration; where that can't be read, from the old
certificates. What somebody has added to manifests by hand stays. Authorities are not renewed, and bundles
of them stay whole. What uses a renewed certificate is restarted with it, one master of the cluster at a
time, and proved.

Where those of several masters have expired, etcd's are renewed in place first, which it takes up by itself, and
the exit code is 3 as long as others present expired ones: renew on those that are named, then run it again.

NAME is all, or one of:
  ` + strings.Join(names[1:], "\n  "),
		Example: `  tripod certs check-expiration
  tripod certs renew all
  tripod certs renew apiserver --dry-run`,
		ValidArgs: names,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(names, args[0]) {
				return &inputError{fmt.Errorf("renew takes the name of one certificate, or all\nhint: there are %s", strings.Join(names, ", "))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, warnings, err := c.load()
			if err != nil {
				return err
			}
			wish := phases.Wish{Verb: "certs renew " + args[0], Kept: true, Renew: phases.Renewing(args[0])}
			_, err = c.run(cmd, cfg, warnings, wish)
			return err
		},
	}
	c.addFlags(cmd)
	return cmd
}
