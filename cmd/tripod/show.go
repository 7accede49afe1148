package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/phases"
)

// showPlan is how a plan is shown instead of being applied.
type showPlan struct {
	to io.Writer
	// notes is standard error.
	notes  io.Writer
	dryRun bool
	diff   bool
	// writeTo is a directory that gets the plan's files as they would lie on the machine; "" for none.
	writeTo string
	output  string
	// verbose is plain lines that tell everything, on a terminal too.
	verbose bool
}

// addFlags adds the flags that say whether and how a plan is shown.
func (s *showPlan) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.diff, "diff", false, "show what would change, line by line, and do nothing")
	cmd.Flags().StringVar(&s.writeTo, "write-to", "", "with --dry-run: a `directory` that gets the files as they would lie on the machine")
	addOutput(cmd, &s.output, "text, or json: one event a line, or the plan as one document", "text", "json")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	for _, dir := range []string{"patches", "write-to"} {
		_ = cmd.MarkFlagDirname(dir)
	}
}

// begin takes what the command line says of how to show things.
func (s *showPlan) begin(cmd *cobra.Command, dryRun bool) error {
	s.to, s.notes, s.dryRun, s.verbose = cmd.OutOrStdout(), cmd.ErrOrStderr(), dryRun, verbose(cmd)
	if s.writeTo != "" && !s.dryRun {
		return &inputError{fmt.Errorf("--write-to goes with --dry-run")}
	}
	return nil
}

// progress shows what is done while it is done. Of a plan that is only shown it tells, beside the plan, what is waited for.
func (s showPlan) progress() progress {
	if s.wanted() {
		return plain{to: s.notes}
	}
	if s.verbose && s.output != "json" {
		return plain{to: s.to, verbose: true}
	}
	return newProgress(s.to, s.output)
}

func (s showPlan) wanted() bool { return s.dryRun || s.diff || s.writeTo != "" }

// plan prints the steps, and writes the files below writeTo if asked to. A machine that is not fit has a plan all
// the same: what would stop it is told beside it.
func (s showPlan) plan(steps []phases.Step, err error) error {
	var unfit *phases.PreflightError
	if err != nil && !errors.As(err, &unfit) {
		return err
	}
	if unfit != nil {
		defer func() {
			fmt.Fprintln(s.notes, yellow.in(s.notes, "preflight would stop this:"), listed(complaints(unfit)))
		}()
	}
	if s.writeTo != "" {
		if err := writeFiles(s.writeTo, steps); err != nil {
			return err
		}
	}
	if s.output == "json" {
		return printJSON(s.to, map[string]any{"steps": steps})
	}
	if !slices.ContainsFunc(steps, func(step phases.Step) bool { return len(step.Changes) > 0 }) {
		fmt.Fprintln(s.to, "Nothing to change.")
	}
	for _, step := range steps {
		s.step(step)
	}
	return nil
}

func (s showPlan) step(step phases.Step) {
	if len(step.Changes) == 0 && step.Proof.Attempt == nil {
		return
	}
	fmt.Fprintln(s.to, step.Phase)
	for _, c := range step.Changes {
		fmt.Fprintln(s.to, "  "+c.String())
		if s.diff && c.Diff != "" {
			s.lines(c.Diff)
		}
	}
	switch {
	case step.Unproved:
		fmt.Fprintln(s.to, "  (not proved: nothing runs static pods here yet)")
	case step.Proof.Of != "":
		fmt.Fprintf(s.to, "  prove that %s is healthy\n", step.Proof.Of)
	case step.Proof.Component != "":
		fmt.Fprintf(s.to, "  prove that %s is healthy\n", step.Proof.Component)
	case step.Proof.Attempt != nil:
		fmt.Fprintln(s.to, "  prove that all components are healthy")
	}
}

// lines prints a diff, in colour on a terminal.
func (s showPlan) lines(diff string) {
	for line := range strings.Lines(diff) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "+"):
			line = green.in(s.to, line)
		case strings.HasPrefix(line, "-"):
			line = red.in(s.to, line)
		}
		fmt.Fprintln(s.to, "    "+line)
	}
}
