package main

import (
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	t.Parallel()
	c := &checks{}
	outputs := map[string]*strings.Builder{}
	for _, e := range []event{
		{Action: "output", Package: "a/b", Test: "TestSkipped", Output: "    x_test.go:7: it takes root\n"},
		{Action: "skip", Package: "a/b", Test: "TestSkipped"},
		{Action: "pass", Package: "a/b", Test: "TestPassed"},
		{Action: "pass", Package: "a/b"},
		{Action: "fail", Package: "a/c", Test: "TestFailed"},
		{Action: "fail", Package: "a/c"},
		{Action: "fail", Package: "a/d"},
	} {
		c.count(e, outputs)
	}
	if c.passed != 1 || c.failed != 2 || len(c.notRun) != 1 || c.notRun[0] != "b.TestSkipped: it takes root" {
		t.Errorf("counted %+v", c)
	}
}
