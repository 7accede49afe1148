package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

func newHistoryCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show what ran on this master, when, by which command, and what became of it",
		Long: `history lists the generations of this master, the newest first: what runs, or was to run, with its verdict.
Those that are whole are kept with their files, for tripod rollback.`,
		Example: "  tripod history -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("output", output, "text", "json"); err != nil {
				return err
			}
			all, err := phases.ReadGenerations(host.Open("/"), config.Config{Paths: config.PathsUnder("/")})
			if err != nil {
				return err
			}
			return history(cmd, output, all)
		},
	}
	addOutput(cmd, &output, "text or json", "text", "json")
	return cmd
}

// past is a generation as it is shown, without its files.
type past struct {
	Number  int            `json:"number"`
	Verb    string         `json:"verb"`
	Began   time.Time      `json:"began"`
	Ended   time.Time      `json:"ended,omitzero"`
	Verdict phases.Verdict `json:"verdict"`
	Cause   string         `json:"cause,omitempty"`
	Version string         `json:"version"`
	// Revisions are by component; none where the files are kept no more, or never were.
	Revisions map[string]string `json:"revisions,omitempty"`
}

func history(cmd *cobra.Command, output string, all []phases.Generation) error {
	shown := []past{}
	for _, g := range slices.Backward(all) {
		p := past{Number: g.Number, Verb: g.Verb, Began: g.Began, Ended: g.Ended, Verdict: g.Verdict, Cause: g.Cause, Version: g.Version, Revisions: map[string]string{}}
		for component, r := range g.Components {
			p.Revisions[component] = r.Revision
		}
		shown = append(shown, p)
	}
	if output == "json" {
		return printJSON(cmd.OutOrStdout(), shown)
	}
	if len(shown) == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "Nothing is known that ran here.")
		return nil
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "NUMBER\tBEGAN\tTOOK\tVERSION\tBY\tVERDICT")
	for _, p := range shown {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", p.Number, p.Began.Local().Format(time.DateTime), p.took(), p.Version, p.Verb, p.verdict())
	}
	return w.Flush()
}

func (p past) took() string {
	if p.Ended.IsZero() {
		return "-"
	}
	return p.Ended.Sub(p.Began).Round(100 * time.Millisecond).String()
}

// verdict is the verdict and its cause in a line.
func (p past) verdict() string {
	cause, _, _ := strings.Cut(p.Cause, "\n")
	switch {
	case p.Verdict == phases.UnderWay:
		return "begun, and not ended: it goes on, or was killed"
	case cause != "":
		return string(p.Verdict) + ": " + cause
	}
	return string(p.Verdict)
}
