package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/phases"
)

func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print and check configurations",
		Example: `  tripod config print init-defaults > master.yaml
  tripod config validate --config master.yaml`,
	}
	cmd.AddCommand(newConfigPrint(), newConfigValidate())
	return cmd
}

func newConfigPrint() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "print",
		Short:   "Print default configurations",
		Example: "  tripod config print init-defaults",
	}
	cmd.AddCommand(&cobra.Command{
		Use:     "init-defaults",
		Short:   "Print what init takes where nothing is said, with placeholders for names, addresses and tokens",
		Example: "  tripod config print init-defaults > master.yaml",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := config.InitDefaults(config.Machine{})
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(data)
			return err
		},
	})
	return cmd
}

func newConfigValidate() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check a configuration and tell everything that is wrong with it",
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
	require(cmd, "config")
	return cmd
}

func readFile(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(name)
}
