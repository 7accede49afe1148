package main

import (
	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
)

func newConfigPrint() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "print",
		Short: "Print default configurations",
		Example: `  tripod config print init-defaults
  tripod config print join-defaults`,
	}
	nobody := config.Machine{}
	cmd.AddCommand(
		newPrintInit(),
		newPrintDefaults("join", func() ([]byte, error) { return config.JoinDefaults(nobody) }),
		newPrintDefaults("reset", func() ([]byte, error) { return config.ResetDefaults(nobody) }),
		newPrintDefaults("upgrade", config.UpgradeDefaults),
	)
	return cmd
}

func newPrintInit() *cobra.Command {
	var components []string
	kinds := []string{"KubeletConfiguration", "KubeProxyConfiguration"}
	cmd := newPrintDefaults("init", func() ([]byte, error) {
		for _, kind := range components {
			if err := oneOf("component-configs", kind, kinds...); err != nil {
				return nil, err
			}
		}
		return config.InitDefaults(config.Machine{}, components...)
	})
	cmd.Flags().StringSliceVar(&components, "component-configs", nil, "also the documents of these `kinds`: KubeletConfiguration, KubeProxyConfiguration")
	_ = cmd.RegisterFlagCompletionFunc("component-configs", cobra.FixedCompletions(kinds, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func newPrintDefaults(verb string, defaults func() ([]byte, error)) *cobra.Command {
	return &cobra.Command{
		Use:     verb + "-defaults",
		Short:   "Print what " + verb + " takes where nothing is said, with placeholders for names, addresses and tokens",
		Example: "  tripod config print " + verb + "-defaults > " + verb + ".yaml",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := defaults()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(data)
			return err
		},
	}
}
