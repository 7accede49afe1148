package main

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/phases"
)

// word is how a verb of machines is called in a sandbox.
type word struct {
	machine *regexp.Regexp
	sandbox string
}

// sandboxWords are the verbs that hints name, the longer ones first; NAME stands for the sandbox.
func sandboxWords() []word {
	var all []word
	for _, pair := range [][2]string{
		{`tripod upgrade apply (v[0-9.]+)`, `tripod sandbox upgrade --name NAME --to $1`},
		{`tripod upgrade (?:apply|node)\b`, `tripod sandbox upgrade --name NAME`},
		{`tripod certs renew( [-a-z.]+)?`, `tripod sandbox renew --name NAME$1`},
		{`tripod apply\b`, `tripod sandbox apply --name NAME`},
		{`tripod rollback brings back what ran here before, and says what that can cost`,
			`a sandbox does not become older again; another --name makes one of that version: tripod sandbox up --kubernetes-version`},
		{`tripod init makes one, tripod join joins one`, `tripod sandbox up --name NAME makes one`},
		{`tripod (?:init|join)\b`, `tripod sandbox up --name NAME`},
		{`tripod reset\b`, `tripod sandbox down --name NAME`},
		{`systemctl restart kubelet; its log says why it has ended`, `tripod sandbox up --name NAME; agent/agent.log in its folder says why it has ended`},
	} {
		all = append(all, word{regexp.MustCompile(pair[0]), pair[1]})
	}
	return all
}

// inSandbox is a text for the users of a sandbox.
func inSandbox(text, name string) string {
	if !strings.Contains(text, "tripod ") && !strings.Contains(text, "systemctl") {
		return text
	}
	for _, w := range sandboxWords() {
		text = w.machine.ReplaceAllString(text, strings.ReplaceAll(w.sandbox, "NAME", name))
	}
	return text
}

// sandboxError is an error of the phases, with hints that name the verbs of sandboxes.
type sandboxError struct {
	error
	name string
}

func (e sandboxError) Error() string { return inSandbox(e.error.Error(), e.name) }
func (e sandboxError) Unwrap() error { return e.error }

// complaints are those that the error holds.
func (e sandboxError) complaints() []string {
	all := complaints(e.error)
	for i, text := range all {
		all[i] = inSandbox(text, e.name)
	}
	return all
}

// sandboxProgress tells events likewise.
type sandboxProgress struct {
	progress
	name string
}

func (p sandboxProgress) tell(e phases.Event) {
	e.Text = inSandbox(e.Text, p.name)
	p.progress.tell(e)
}

// wordSandbox has the errors of all verbs below cmd name those of sandboxes.
func wordSandbox(cmd *cobra.Command) {
	for _, verb := range cmd.Commands() {
		run := verb.RunE
		verb.RunE = func(cmd *cobra.Command, args []string) error {
			err := run(cmd, args)
			name, unnamed := cmd.Flags().GetString("name")
			if err == nil || unnamed != nil {
				return err
			}
			return sandboxError{err, name}
		}
	}
}
