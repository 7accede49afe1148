package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// strict makes bad input of all that cmd and the commands below it do not know.
func strict(cmd *cobra.Command) {
	// cobra itself takes any word for a command that has others below it, and prints its help.
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		cmd.DisableFlagsInUseLine = true
		cmd.Args = noArgs
	}
	if args := cmd.Args; args != nil {
		cmd.Args = func(cmd *cobra.Command, given []string) error {
			if err := args(cmd, given); err != nil {
				return &inputError{err}
			}
			return nil
		}
	}
	cmd.SuggestionsMinimumDistance = 2
	for _, below := range cmd.Commands() {
		strict(below)
	}
}

// noArgs refuses arguments; where a command was meant it names those that are like it.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasAvailableSubCommands() {
		return fmt.Errorf("%s takes no argument, not %q", cmd.CommandPath(), args[0])
	}
	err := fmt.Errorf("%s has no command %q", cmd.CommandPath(), args[0])
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		return fmt.Errorf("%w\nhint: did you mean %s?", err, strings.Join(like, " or "))
	}
	return fmt.Errorf("%w\nhint: %s --help lists them", err, cmd.CommandPath())
}

// require refuses a command line without one of the flags.
func require(cmd *cobra.Command, flags ...string) {
	for _, f := range flags {
		_ = cmd.MarkFlagRequired(f) // fails for a flag that is not defined
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := cmd.ValidateRequiredFlags(); err != nil {
			return &inputError{err}
		}
		return nil
	}
}
