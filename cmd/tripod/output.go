package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/term"
)

// paint says whether w is a terminal that wants colour (https://no-color.org).
func paint(w io.Writer) bool {
	return terminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
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
	if !paint(w) {
		return text
	}
	return string(s) + text + "\x1b[0m"
}

// errorText is an error for people: one complaint a line, with a count before them.
func errorText(w io.Writer, err error) string {
	label := red.in(w, "error:")
	var many *multierror.Error
	if !errors.As(err, &many) {
		return label + " " + strings.TrimSpace(err.Error())
	}
	if len(many.Errors) == 1 {
		return label + " " + many.Errors[0].Error()
	}
	lines := []string{fmt.Sprintf("%s %d things are wrong:", label, len(many.Errors))}
	for _, e := range many.Errors {
		lines = append(lines, "  - "+strings.ReplaceAll(e.Error(), "\n", "\n    "))
	}
	return strings.Join(lines, "\n")
}

// oneOf refuses a flag value that is none of those it may have.
func oneOf(flag, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return &inputError{fmt.Errorf("--%s=%s: it is one of %s", flag, value, strings.Join(allowed, ", "))}
}
