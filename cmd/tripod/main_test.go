package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

// tripod runs a command line and returns what it prints, with its error as people see it, and the exit code.
func tripod(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	return called(t, tripodName, args...)
}

// called is tripod called by some name.
func called(t *testing.T, program string, args ...string) (out, errs string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := newCommand(program, &stdout, &stderr)
	cmd.SetArgs(args)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		fmt.Fprintln(&stderr, errorText(&stderr, err))
		code = exitCode(err)
	}
	return stdout.String(), stderr.String(), code
}

func TestCommandLines(t *testing.T) {
	t.Parallel()
	for line, tt := range map[string]struct {
		code      int
		out, errs string // what they hold
	}{
		"":                                      {0, "Available Commands:", ""},
		"--help":                                {0, "tripod sandbox up  ", ""},
		"sandbox":                               {0, "tripod sandbox down", ""},
		"sandbox up --help":                     {0, "--kubernetes-version version", ""},
		"version":                               {0, "v0.0.0-dev\n", ""},
		"version -o json":                       {0, `"version": "v0.0.0-dev"`, ""},
		"init phase list":                       {0, phaseList(phases.Init()), ""},
		"version -o yaml":                       {0, "kubernetes:\n- v1.34", ""},
		"completion bash":                       {0, "bash completion V2 for tripod", ""},
		"completion fish":                       {0, "fish completion", ""},
		"__complete init -o ":                   {0, "text\njson\n", ""},
		"__complete certs check-expiration -o ": {0, "text\njson\nyaml\n", ""},
		"__complete init --skip-phases ":        {0, "preflight\ncerts\ncerts/ca\n", ""},
		"config print init-defaults":            {0, "kind: InitConfiguration", ""},
		"sandbox down --name no-such-one":       {0, "There is no sandbox no-such-one: nothing to do.", ""},

		"ini":                     {2, "", "error: tripod has no command \"ini\"\nhint: did you mean init?"},
		"nonsense":                {2, "", "hint: tripod --help lists them"},
		"sandbox uo":              {2, "", "tripod sandbox has no command \"uo\"\nhint: did you mean up?"},
		"init phse":               {2, "", "did you mean phase?"},
		"init phase":              {2, "", "hint: tripod init phase list"},
		"init phase a b c":        {2, "", "hint: tripod init phase list"},
		"init phase nonsense":     {2, "", "no phase is called nonsense"},
		"init --skip-phases=nope": {2, "", "--skip-phases: no phase is called nope"},
		"init --write-to=x":       {2, "", "--write-to goes with --dry-run"},
		"init --config=/nowhere":  {2, "", "no such file"},
		"init --nope":             {2, "", "error: unknown flag: --nope\nhint: tripod init --help lists the flags"},
		"init -o xml":             {2, "", "--output=xml: it is one of text, json"},
		"init --token":            {2, "", "flag needs an argument: --token"},
		"init --v=x":              {2, "", "invalid argument"},
		"init phase kubelet-finalize/experimental-cert-rotation": {2, "", "is not supported"},
		"init --dry-run=maybe":                   {2, "", "invalid argument"},
		"version x":                              {2, "", `tripod version takes no argument, not "x"`},
		"completion nope":                        {2, "", `no command "nope"`},
		"completion bash x":                      {2, "", `unknown command "x"`},
		"config validate":                        {2, "", `required flag(s) "config" not set`},
		"config validate --config=/nowhere":      {2, "", "no such file"},
		"agent":                                  {2, "", `required flag(s) "bin-dir", "manifests", "state" not set`},
		"agent x":                                {2, "", `takes no argument, not "x"`},
		"sandbox status --name no-such-one":      {2, "", "hint: tripod sandbox list"},
		"sandbox kubeconfig --name no-such-one":  {2, "", "hint: tripod sandbox list"},
		"sandbox up --name=UPPER":                {2, "", "UPPER"},
		"sandbox up --name=x --bin-dir=/nowhere": {2, "", "hint: make components builds them"},
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			args := strings.Split(line, " ")
			if line == "" {
				args = []string{}
			}
			out, errs, code := tripod(t, args...)
			if code != tt.code || !strings.Contains(out, tt.out) || !strings.Contains(errs, tt.errs) {
				t.Errorf("exit code %d, want %d\n%s%s", code, tt.code, out, errs)
			}
			if code != 0 && out != "" {
				t.Errorf("standard output of a failure: %s", out)
			}
		})
	}
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want int
	}{
		{errors.New("x"), exitFailed},
		{&host.Locked{PID: 7}, exitFailed},
		{context.Canceled, exitFailed},
		{&inputError{errors.New("x")}, exitInput},
		{&phases.InputError{Err: errors.New("x")}, exitInput},
		{&phases.PreflightError{Err: errors.New("x")}, exitPreflight},
		{fmt.Errorf("etcd: %w", &phases.UnhealthyError{}), exitUnhealthy},
		{multierror.Append(fmt.Errorf("etcd: %w", &phases.UnhealthyError{}), errors.New("putting back")), exitUnhealthy},
	} {
		if got := exitCode(tt.err); got != tt.want {
			t.Errorf("%T: %d, want %d", tt.err, got, tt.want)
		}
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancelCause(t.Context())
	failed := errors.New("disk full")
	if got := interrupted(ctx, failed); got != failed {
		t.Errorf("without a signal: %v", got)
	}
	stop(errors.New("interrupt signal received"))
	want := "interrupt signal received\nhint: run the same command again, it goes on from here"
	if got := interrupted(ctx, context.Canceled); got.Error() != want {
		t.Errorf("got %v", got)
	}
	if got := interrupted(ctx, &phases.UnhealthyError{}); exitCode(got) != exitUnhealthy {
		t.Errorf("a verdict was lost: %v", got)
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	two := multierror.Append(nil, errors.New("one\nhint: mend it"), errors.New("two"))
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"one":            {errors.New("no room\nhint: make some\n"), "error: no room\nhint: make some"},
		"one of several": {multierror.Append(nil, errors.New("one")), "error: one"},
		"several":        {two, "error: 2 things are wrong:\n  - one\n    hint: mend it\n  - two"},
		"wrapped":        {&phases.InputError{Err: two}, "error: 2 things are wrong:\n  - one\n    hint: mend it\n  - two"},
		"nested": {multierror.Append(nil, fmt.Errorf("etcd/local: %w", two), errors.New("three")),
			"error: 3 things are wrong:\n  - etcd/local: one\n    hint: mend it\n  - etcd/local: two\n  - three"},
		"with words around": {fmt.Errorf("certs: %w (twice)", multierror.Append(nil, errors.New("one"))), "error: certs: one (twice)"},
	} {
		if diff := cmp.Diff(tt.want, errorText(new(bytes.Buffer), tt.err)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestOneOf(t *testing.T) {
	t.Parallel()
	if err := oneOf("output", "json", "text", "json"); err != nil {
		t.Error(err)
	}
	err := oneOf("output", "", "text", "json")
	if exitCode(err) != exitInput || err.Error() != "--output=: it is one of text, json" {
		t.Error(err)
	}
}
