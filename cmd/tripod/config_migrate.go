package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
)

func newConfigMigrate() *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Rewrite a configuration of an older version of kubeadm's API as v1beta4",
		Example: `  tripod config migrate --old-config old.yaml
  tripod config migrate --old-config old.yaml --new-config new.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := readFile(from, cmd.InOrStdin())
			if err != nil {
				return &inputError{err}
			}
			migrated, err := config.Migrate(data, from)
			if err != nil {
				return &inputError{err}
			}
			if to == "" {
				_, err = cmd.OutOrStdout().Write(migrated)
				return err
			}
			return writePrivate(cmd.Context(), to, migrated) // there may be tokens in it
		},
	}
	cmd.Flags().StringVar(&from, "old-config", "", "`file` to convert, - for standard input")
	cmd.Flags().StringVar(&to, "new-config", "", "`file` to write (default: standard output)")
	_ = cmd.MarkFlagFilename("old-config", "yaml", "yml")
	_ = cmd.MarkFlagFilename("new-config", "yaml", "yml")
	takeVersionFlags(cmd, "experimental")
	require(cmd, "old-config")
	return cmd
}

// writePrivate writes a file for its owner alone, whatever was there before. What is no file, as a terminal, is written to.
func writePrivate(ctx context.Context, path string, data []byte) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(path, data, 0o600)
	}
	return host.Open("/").Commit(ctx, host.File{Path: path, Mode: 0o600, Data: data})
}
