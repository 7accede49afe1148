package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/phases"
)

func newConfigValidate() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check a configuration, of init or of join, and tell everything that is wrong with it",
		Example: `  tripod config validate --config master.yaml
  generate | tripod config validate --config -`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := readFile(file, cmd.InOrStdin())
			if err != nil {
				return &inputError{err}
			}
			c, err := config.Validate(data, file)
			if err == nil {
				err = phases.UnknownArgs(c)
			}
			if err != nil {
				return &inputError{err}
			}
			fmt.Fprintln(cmd.OutOrStdout(), "ok")
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "`file` to check, - for standard input")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	takeVersionFlags(cmd, "deprecated", "experimental")
	require(cmd, "config")
	return cmd
}

// takeVersionFlags adds kubeadm's flags that let certain versions of the API pass. Here v1beta3 always does, and
// nothing is experimental.
func takeVersionFlags(cmd *cobra.Command, kinds ...string) {
	for _, kind := range kinds {
		name := "allow-" + kind + "-api"
		cmd.Flags().Bool(name, false, "taken, as kubeadm has it: v1beta4 and v1beta3 are read in any case")
		_ = cmd.Flags().MarkHidden(name) // fails for a flag that is not defined
	}
}
