package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/phases"
)

func TestResetRefuses(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"reset now":                     `tripod reset has no command "now"`,
		"reset phase":                   "phase takes the name of a phase",
		"reset phase nope -f":           "no phase of reset is called nope\nhint: there are preflight, remove-etcd-member, cleanup-node",
		"reset --skip-phases=nope":      "no phase is called nope",
		"reset -o xml":                  "--output=xml",
		"reset --cert-dir=pki":          `"pki" is not an absolute path`,
		"reset --kubeconfig=/nowhere/x": "no kubeconfig: open /nowhere/x",
		"reset --diff":                  "unknown flag: --diff",
	} {
		out, errs, code := tripod(t, strings.Fields(line)...)
		if code != exitInput || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d\n%s%s", line, code, out, errs)
		}
	}
}

// Nothing is done without a yes, or --force.
func TestResetConfirmed(t *testing.T) {
	t.Parallel()
	steps := []phases.Step{{Phase: "cleanup-node", Changes: []phases.Change{{Verb: "stop", What: "kubelet"}}}}
	for answer, want := range map[string]bool{"y\n": true, "Yes\n": true, "y": true, "n\n": false, "\n": false, "": false, "yesterday\n": false} {
		for _, output := range []string{"text", "json"} {
			var out, notes bytes.Buffer
			c := resetCommand{show: showPlan{to: &out, notes: &notes, output: output}}
			cmd := new(cobra.Command)
			cmd.SetContext(t.Context())
			cmd.SetIn(strings.NewReader(answer))
			err := c.confirmed(cmd, false, steps)
			if (err == nil) != want || err != nil && exitCode(err) != exitInput {
				t.Errorf("%q: %v", answer, err)
			}
			asked := map[string]string{"text": out.String(), "json": notes.String()}[output]
			if asked != "cleanup-node\n  stop kubelet\n\nThis can not be undone. Go on? [y/N] " {
				t.Errorf("%s asked: %q", output, asked)
			}
			if err := c.confirmed(cmd, true, steps); err != nil {
				t.Error(err)
			}
		}
	}
}

// Whoever interrupts is not waited for.
func TestResetInterrupted(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancelCause(t.Context())
	stop(os.ErrClosed)
	never, w := io.Pipe()
	defer w.Close()
	if _, err := answered(ctx, never); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

func TestResetNothing(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]string{"text": "Nothing to do: nothing is left here of init or join.\n", "json": `"event":"done","phase":"cleanup-node","text":"Nothing to do`} {
		var out bytes.Buffer
		c := resetCommand{show: showPlan{to: &out, output: output}}
		c.nothing(newProgress(&out, output))
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: %s", output, out.String())
		}
	}
	if wanted([]phases.Step{{Phase: "preflight"}}) {
		t.Error("a plan without changes is nothing")
	}
}
