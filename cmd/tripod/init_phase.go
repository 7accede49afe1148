package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/phases"
)

func newInitPhase() *cobra.Command {
	var c initCommand
	cmd := &cobra.Command{
		Use:   "phase NAME",
		Short: "Run one phase of init, or a group of phases",
		Long: `phase runs one phase of init, or all of a group. A component is proved healthy if a kubelet runs
that can start it; without one only its files are written. tripod init phase list prints the names.`,
		Example: `  tripod init phase list
  tripod init phase certs
  tripod init phase certs apiserver   # or certs/apiserver
  tripod init phase upload-certs --upload-certs`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) > 2 {
				return fmt.Errorf("phase takes the name of a phase\nhint: %s list", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: completePhases,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := strings.Join(args, "/")
			if name == "list" {
				fmt.Fprint(cmd.OutOrStdout(), phaseList(phases.Init()))
				return nil
			}
			list := phases.Only(phases.Init(), name)
			if len(list) == 0 {
				return &inputError{noPhase(cmd, name)}
			}
			return c.run(cmd, list)
		},
	}
	c.addFlags(cmd)
	return cmd
}

// noPhase tells a phase of kubeadm's that there is none of here from a word that means none at all.
func noPhase(cmd *cobra.Command, name string) error {
	if len(unknownPhases([]string{name}, initPhasesOfKubeadm())) == 0 {
		return fmt.Errorf("the phase %s is not supported: other phases do its work\nhint: %s list", name, cmd.CommandPath())
	}
	return fmt.Errorf("no phase is called %s\nhint: %s list", name, cmd.CommandPath())
}

// phaseList is a line a phase, groups above their phases.
func phaseList(list []phases.Phase) string {
	var b strings.Builder
	group := ""
	for _, p := range list {
		name := p.Name
		if p.Group() != p.Name {
			if p.Group() != group {
				fmt.Fprintf(&b, "  %s\n", p.Group())
			}
			name = "  /" + strings.TrimPrefix(p.Name, p.Group()+"/")
		}
		group = p.Group()
		fmt.Fprintf(&b, "  %-32s %s\n", name, p.About)
	}
	return b.String()
}

// completePhases are the names of phases and of their groups.
func completePhases(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, p := range phases.Init() {
		names = append(names, p.Group(), p.Name)
	}
	return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
}
