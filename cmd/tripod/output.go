package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	"sigs.k8s.io/yaml"
)

// paint says whether w is a terminal that wants colour (https://no-color.org).
func paint(w io.Writer) bool { return terminal(w) && os.Getenv("NO_COLOR") == "" }

// terminal says whether w is a terminal that can do more than print lines.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// A style is a terminal's colour.
type style string

const (
	red    style = "\x1b[31m"
	green  style = "\x1b[32m"
	yellow style = "\x1b[33m"
	grey   style = "\x1b[90m"
)

// in is text in the style, where w wants colour.
func (s style) in(w io.Writer, text string) string {
	if text == "" || !paint(w) {
		return text
	}
	return string(s) + text + "\x1b[0m"
}

// errorText is an error for people: one complaint a line, with a count before them.
func errorText(w io.Writer, err error) string {
	return red.in(w, "error:") + " " + listed(complaints(err))
}

func listed(complaints []string) string {
	if len(complaints) == 1 {
		return complaints[0]
	}
	text := fmt.Sprintf("%d things are wrong:", len(complaints))
	for _, c := range complaints {
		text += "\n  - " + strings.ReplaceAll(c, "\n", "\n    ")
	}
	return text
}

// complaints are those of an error that holds several, each with what was said around them.
func complaints(err error) []string {
	if boxed, is := errors.AsType[sandboxError](err); is {
		return boxed.complaints()
	}
	var many *multierror.Error
	if !errors.As(err, &many) || len(many.Errors) == 0 {
		return []string{strings.TrimSpace(err.Error())}
	}
	before, after, _ := strings.Cut(err.Error(), many.Error())
	var all []string
	for _, e := range many.Errors {
		for _, c := range complaints(e) {
			all = append(all, strings.TrimSpace(before+c+after))
		}
	}
	return all
}

// addOutput adds the flag -o, whose first value is the default.
func addOutput(cmd *cobra.Command, output *string, about string, values ...string) {
	cmd.Flags().StringVarP(output, "output", "o", values[0], "`format`: "+about)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// oneOf refuses a flag value that is none of those it may have.
func oneOf(flag, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return &inputError{fmt.Errorf("--%s=%s: it is one of %s", flag, value, strings.Join(allowed, ", "))}
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printAs prints v as json or yaml.
func printAs(w io.Writer, format string, v any) error {
	if format == "json" {
		return printJSON(w, v)
	}
	data, err := yaml.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}
