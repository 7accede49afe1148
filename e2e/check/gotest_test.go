package main

import (
	"slices"
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	t.Parallel()
	c := newChecks("")
	outputs := map[string]*strings.Builder{}
	for _, e := range []event{
		{Action: "output", Package: "a/b", Test: "TestSkipped", Output: "    x_test.go:7: it takes root\n"},
		{Action: "skip", Package: "a/b", Test: "TestSkipped"},
		{Action: "output", Package: "a/b", Test: "TestLong", Output: "    x_test.go:9: a drill\n"},
		{Action: "skip", Package: "a/b", Test: "TestLong"},
		{Action: "pass", Package: "a/b", Test: "TestPassed"},
		{Action: "pass", Package: "a/b"},
		{Action: "fail", Package: "a/c", Test: "TestFailed/case"},
		{Action: "fail", Package: "a/c", Test: "TestFailed"},
		{Action: "fail", Package: "a/c"},
		{Action: "fail", Package: "a/d"},
		{Action: "fail", Package: "tripod.dev/tripod/e2e", Test: "TestX/case"},
		{Action: "fail", Package: "tripod.dev/tripod/e2e", Test: "TestX"},
	} {
		c.count(e, outputs)
	}
	if c.passed != 1 || len(c.failures) != 5 || !slices.Equal(c.drills, []string{"b.TestLong"}) || len(c.notRun) != 1 || c.notRun[0] != "b.TestSkipped: it takes root" {
		t.Errorf("counted %+v", c)
	}
	if len(c.again) != 1 || !slices.Equal(c.again["tripod.dev/tripod/e2e"], []string{"TestX"}) {
		t.Errorf("to run once more: %v", c.again)
	}
}

func TestComplaints(t *testing.T) {
	t.Parallel()
	const said = `=== RUN   TestX
    x_test.go:20: took 5s
    x_test.go:21: exit code 1, want 3:
        one
        two
        three
        four
    setup_test.go:48: ==> /var/log/kubelet.log <==
        noise
        
--- FAIL: TestX (1s)
`
	want := []string{"    x_test.go:20: took 5s", "    x_test.go:21: exit code 1, want 3:", "        one", "        two", "        three"}
	if got := complaints(said); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestWithdrawn(t *testing.T) {
	t.Parallel()
	const pkg = "tripod.dev/tripod/e2e"
	failures := []failure{{name: "e2e.TestJoin"}, {name: "e2e.TestJoin/worker"}, {name: "e2e.TestJoinMaster"}, {name: "lint"}}
	kept, flaked := withdrawn(failures, event{Package: pkg, Test: "TestJoin"}.id())
	if !equal(kept, "e2e.TestJoinMaster", "lint") || !equal(flaked, "e2e.TestJoin", "e2e.TestJoin/worker") {
		t.Errorf("kept %v, flaked %v", kept, flaked)
	}
}

func equal(failures []failure, names ...string) bool {
	return slices.EqualFunc(failures, names, func(f failure, name string) bool { return f.name == name })
}
