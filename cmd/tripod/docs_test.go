package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tripod.dev/tripod/phases"
)

var update = flag.Bool("update", false, "write the golden files and docs/commands.md anew")

// section is a command of docs/commands.md.
type section struct {
	Path, Anchor, Short, About, Use, Example string
	// Flags are rows of a table; Same is the command that has the same ones.
	Flags []string
	Same  string
}

func TestCommandReference(t *testing.T) {
	t.Parallel()
	page, err := template.ParseFiles("testdata/commands.md.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	root := newCommand(tripodName, io.Discard, io.Discard)
	if err := page.Execute(&out, map[string]any{"Commands": sections(root), "Global": rows(root.PersistentFlags()), "Refused": hidden(root)}); err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`\n{3,}`).ReplaceAllString(out.String(), "\n\n")
	golden(t, "../../docs/commands.md", text)
}

// sections are the commands below cmd, those of completion as one.
func sections(cmd *cobra.Command) []section {
	var all []section
	for _, c := range cmd.Commands() {
		if c.Name() == "help" || c.Hidden {
			continue
		}
		if c.Runnable() && (!group(c) || c.Name() == "completion") {
			all = append(all, describe(c))
		}
		if c.Name() != "completion" {
			all = append(all, sections(c)...)
		}
	}
	return all
}

// group is a command that does nothing itself.
func group(cmd *cobra.Command) bool {
	return cmd.HasAvailableSubCommands() && cmd.DisableFlagsInUseLine
}

func describe(cmd *cobra.Command) section {
	s := section{
		Path: cmd.CommandPath(), Anchor: strings.ReplaceAll(cmd.CommandPath(), " ", "-"), Short: cmd.Short,
		About: cmd.Short + ".", Use: cmd.UseLine(), Example: undent(cmd.Example),
	}
	if cmd.Long != "" {
		s.About = fenced(cmd.Long)
	}
	if s.Flags = flagRows(cmd); len(s.Flags) > 1 && slices.Equal(s.Flags, flagRows(cmd.Parent())) {
		s.Flags, s.Same = nil, cmd.Parent().CommandPath()
	}
	return s
}

// hidden are the commands that are refused by name.
func hidden(cmd *cobra.Command) []string {
	var all []string
	for _, c := range cmd.Commands() {
		if c.Hidden {
			all = append(all, strings.TrimPrefix(c.CommandPath(), tripodName+" "))
		}
		all = append(all, hidden(c)...)
	}
	return all
}

func flagRows(cmd *cobra.Command) []string { return rows(cmd.LocalFlags()) }

func rows(flags *pflag.FlagSet) []string {
	var rows []string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && !f.Hidden {
			rows = append(rows, flagRow(f))
		}
	})
	return rows
}

func flagRow(f *pflag.Flag) string {
	value, usage := pflag.UnquoteUsage(f)
	name := strings.TrimSpace("--" + f.Name + " " + strings.ToUpper(value))
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0" && f.DefValue != "0s" {
		usage += fmt.Sprintf(" (default %s)", f.DefValue)
	}
	if f.Annotations[cobra.BashCompOneRequiredFlag] != nil {
		usage += " (required)"
	}
	return fmt.Sprintf("`%s` | %s", name, strings.ReplaceAll(usage, "|", `\|`))
}

// fenced sets the indented lines of a text as code.
func fenced(text string) string {
	var out []string
	inside := false
	for line := range strings.Lines(strings.TrimSpace(text) + "\n") {
		line = strings.TrimSuffix(line, "\n")
		if code := strings.HasPrefix(line, "  "); code != inside && line != "" {
			out, inside = append(out, "```"), code
		}
		out = append(out, line)
	}
	if inside {
		out = append(out, "```")
	}
	return strings.Join(out, "\n")
}

func undent(text string) string {
	return strings.ReplaceAll(strings.TrimPrefix(text, "  "), "\n  ", "\n")
}

func TestReadmeHasThePhases(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	list := phaseList(phases.Init())
	if !strings.Contains(string(readme), "```\n"+list+"```") {
		t.Errorf("README.md does not hold what tripod init phase list prints:\n%s", list)
	}
}

// Every command says what it does, with an example.
func TestEveryCommandHasHelp(t *testing.T) {
	t.Parallel()
	for _, s := range sections(newCommand(tripodName, io.Discard, io.Discard)) {
		if s.Short == "" || strings.HasSuffix(s.Short, ".") {
			t.Errorf("%s: short %q", s.Path, s.Short)
		}
		if s.Path != "tripod completion" && !strings.Contains(s.Example, s.Path) {
			t.Errorf("%s: example %q", s.Path, s.Example)
		}
	}
}

// golden compares with a file, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s is stale, go test -update writes it anew (-file +now):\n%s", path, diff)
	}
}
