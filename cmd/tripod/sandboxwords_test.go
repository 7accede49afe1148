package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/hashicorp/go-multierror"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/phases"
)

// Hints in a sandbox name verbs that work there.
func TestSandboxWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"v1.34.4 -> v1.35.4; so tripod upgrade apply v1.35.4 comes first": "v1.34.4 -> v1.35.4; so tripod sandbox upgrade --name a --to v1.35.4 comes first",
		"upgrade that master first (tripod upgrade node)":                 "upgrade that master first (tripod sandbox upgrade --name a)",
		"hint: run tripod certs renew all on a-m1 first":                  "hint: run tripod sandbox renew --name a all on a-m1 first",
		"hint: tripod apply makes it":                                     "hint: tripod sandbox apply --name a makes it",
		"tripod sandbox upgrade --name a goes on with it":                 "tripod sandbox upgrade --name a goes on with it",
		"or give this master up (tripod reset)":                           "or give this master up (tripod sandbox down --name a)",
		"nothing of tripod's":                                             "nothing of tripod's",
	} {
		if got := inSandbox(text, "a"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	from, _ := config.ParseVersion("v1.36.3")
	to, _ := config.ParseVersion("v1.34.4")
	refused, _ := config.Policy{From: from, To: to}.Check()
	err := error(sandboxError{fmt.Errorf("m1: %w", &phases.PreflightError{Err: errors.Join(refused...)}), "a"})
	if exitCode(err) != exitPreflight || inSandbox(err.Error(), "a") != err.Error() {
		t.Errorf("exit code %d: %v", exitCode(err), err)
	}
	several := multierror.Append(errors.New("m1: tripod apply"), errors.New("m2: tripod reset"))
	if got := complaints(sandboxError{fmt.Errorf("joining: %w", several), "a"}); len(got) != 2 || got[0] != "joining: m1: tripod sandbox apply --name a" {
		t.Errorf("%q", got)
	}
}
