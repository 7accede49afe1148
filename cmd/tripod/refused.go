package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// refusedVerbs are those of kubeadm's verbs that tripod does not have: a script that uses one is told so,
// with what to do instead, and not that there is no such command.
func refusedVerbs() []*cobra.Command {
	return []*cobra.Command{
		refused("alpha", "nothing is below it in kubeadm either", "--help lists the verbs"),
	}
}

// refused is a command that takes everything, and refuses it by its name. Completion and help do not show it.
func refused(name, why, hint string) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: "Not supported", Hidden: true, DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return &inputError{fmt.Errorf("%s is not supported: %s\nhint: %s", cmd.CommandPath(), why, hint)}
		},
	}
}
