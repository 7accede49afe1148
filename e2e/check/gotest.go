package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// event is one line of go test -json (see go doc test2json).
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

// id is what the event is about.
func (e event) id() string {
	if e.Test == "" {
		return e.Package
	}
	return e.Package[strings.LastIndex(e.Package, "/")+1:] + "." + e.Test
}

// goTest runs go test, counts each test, and prints what failed and one line per package.
func (c *checks) goTest(dir string, args ...string) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		c.verdict("go test", nil, err)
		return
	}
	before := len(c.failures)
	outputs := map[string]*strings.Builder{}
	for events := json.NewDecoder(stdout); ; {
		var e event
		if err := events.Decode(&e); err != nil {
			if !errors.Is(err, io.EOF) {
				c.verdict("output of go test", nil, err)
				_, _ = io.Copy(io.Discard, stdout)
			}
			break
		}
		c.count(e, outputs)
	}
	if err := cmd.Wait(); err != nil && len(c.failures) == before {
		c.verdict("go test", nil, err)
	}
}

// count takes one event in. Output is kept until its test has ended: only that of failed tests is of interest.
func (c *checks) count(e event, outputs map[string]*strings.Builder) {
	if outputs[e.id()] == nil {
		outputs[e.id()] = &strings.Builder{}
	}
	said := outputs[e.id()]
	switch e.Action {
	case "output":
		said.WriteString(e.Output)
		if e.Test == "" && (strings.HasPrefix(e.Output, "ok") || strings.HasPrefix(e.Output, "FAIL")) {
			fmt.Print(e.Output)
		}
	case "build-output":
		fmt.Print(e.Output)
	case "pass", "fail", "skip":
		delete(outputs, e.id())
		c.end(e, said.String())
	}
}

// end counts a test, or a package that failed outside its tests.
func (c *checks) end(e event, said string) {
	switch {
	case e.Action == "fail" && e.Test == "" && c.failedIn[e.Package]:
		// Its failed tests have been counted.
	case e.Action == "fail":
		fmt.Print(said)
		c.fail(e.id(), complaints(said)...)
		c.failedIn[e.Package] = true
		c.broken(e)
	case e.Test == "":
	case e.Action == "skip" && reason(said) == drillReason:
		c.drills = append(c.drills, e.id())
	case e.Action == "skip":
		c.skip(e.id(), reason(said))
	default:
		c.pass()
		if e.Elapsed >= 1 && !strings.Contains(e.Test, "/") {
			fmt.Printf("    \t%s\t%.1fs\n", e.id(), e.Elapsed)
		}
	}
}

// drillReason is why a test is not run that make drill runs.
const drillReason = "a drill"

// broken notes an end-to-end test to run once more. The product's own tests have no machine to blame.
func (c *checks) broken(e event) {
	name, _, _ := strings.Cut(e.Test, "/")
	endToEnd := strings.HasPrefix(e.Package, "tripod.dev/tripod/e2e")
	if endToEnd && name != "" && !slices.Contains(c.again[e.Package], name) {
		c.again[e.Package] = append(c.again[e.Package], name)
	}
}

// complaints are the last things that a test itself has said, each shortened to a few lines: the logs of what ran on its
// machines, which come after them, are left out.
func complaints(said string) []string {
	const most, lines, columns = 12, 4, 300
	var all []string
	room := 0
	for line := range strings.Lines(said) {
		line = strings.TrimRight(line, "\n")
		_, text, own := strings.Cut(line, "_test.go:")
		switch {
		case own && !strings.Contains(text, ": ==> "):
			room = lines
		case own, !strings.HasPrefix(line, "        "):
			room = 0
		}
		if room--; room >= 0 {
			all = append(all, line[:min(len(line), columns)])
		}
	}
	return all[max(0, len(all)-most*lines):]
}

// reason is what a skipped test gave as its reason: the text after file and line.
func reason(said string) string {
	for line := range strings.Lines(said) {
		if _, text, ok := strings.Cut(line, ".go:"); ok {
			_, text, _ = strings.Cut(text, ": ")
			return strings.TrimSpace(text)
		}
	}
	return "skipped without a reason"
}
