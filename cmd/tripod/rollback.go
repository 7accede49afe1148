package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/phases"
)

func newRollbackCommand() *cobra.Command {
	c := livingCommand{overrides: config.UpgradeOverrides{Verb: "rollback"}, question: "Go back?"}
	var number int
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Bring this master back to what last ran here and was proved healthy",
		Long: `rollback brings back manifests, certificates and kubeconfigs of an earlier generation of this master, the last
one that was proved healthy and is not the one that runs, or that of --to. After a change that was killed it
puts back what was there before. What etcd holds stays as it is; where its data were written by a newer minor
version of etcd, or the cluster's objects by one of Kubernetes, rollback says so first.
` + howItChanges + phaseList(phases.Upgrade()),
		Example: `  tripod history
  tripod rollback --diff
  tripod rollback --to 3 --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, warnings, err := c.load()
			if err != nil {
				return err
			}
			if number == 0 || number < -1 {
				return &inputError{fmt.Errorf("--to=%d: generations count from 1\nhint: tripod history shows them", number)}
			}
			_, err = c.run(cmd, cfg, warnings, phases.Wish{Verb: "rollback", Back: number})
			return err
		},
	}
	c.addFlags(cmd)
	cmd.Flags().IntVar(&number, "to", -1, "`number` of the generation (default: the last healthy one that does not run)")
	return cmd
}
