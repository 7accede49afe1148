package main

import (
	"bytes"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/discovery"
	"tripod.dev/tripod/phases"
)

// A join that is only shown says on standard error what it waits for: standard output is the plan's.
func TestShownJoinWaits(t *testing.T) {
	t.Parallel()
	for _, output := range []string{"text", "json"} {
		var out, notes bytes.Buffer
		show := showPlan{to: &out, notes: &notes, dryRun: true, output: output}
		show.progress().tell(phases.Event{Kind: phases.Waiting, Phase: "preflight", Text: "10.0.0.1:6443: connection refused"})
		if out.Len() > 0 || notes.String() != "[preflight] waiting: 10.0.0.1:6443: connection refused\n" {
			t.Errorf("%s: %q, on standard error %q", output, &out, &notes)
		}
	}
}

func TestDiscoveryExit(t *testing.T) {
	t.Parallel()
	for kind, want := range map[discovery.Kind]int{
		discovery.BadToken: exitInput, discovery.BadCA: exitInput, discovery.BadFile: exitInput,
		discovery.BadClock: exitPreflight, discovery.NoEtcd: exitPreflight, discovery.Forbidding: exitPreflight, discovery.Unreachable: exitFailed, discovery.Unsigned: exitFailed,
	} {
		if got := exitCode(&discovery.Error{Kind: kind}); got != want {
			t.Errorf("kind %v: %d, want %d", kind, got, want)
		}
	}
}

func TestJoinRefuses(t *testing.T) {
	t.Parallel()
	const good = "join 10.0.0.1:6443 --token abcdef.0123456789abcdef --discovery-token-unsafe-skip-ca-verification "
	for line, want := range map[string]string{
		"join a:1 abcdef.s3cr3ts3cr3ts3cr":               "join takes one HOST:PORT",
		good + "--control-plane --certificate-key=short": "controlPlane.certificateKey",
		good + "--write-to=x":                            "--write-to goes with --dry-run",
		good + "--skip-phases=nope":                      "no phase is called nope",
		good + "-o xml":                                  "--output=xml",
	} {
		out, errs, code := tripod(t, strings.Fields(line)...)
		if code != exitInput || out != "" || !strings.Contains(errs, want) || strings.Contains(errs, "s3cr3t") {
			t.Errorf("%s: exit code %d\n%s%s", line, code, out, errs)
		}
	}
}
