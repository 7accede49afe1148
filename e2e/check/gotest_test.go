package main

import (
	"slices"
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	t.Parallel()
	c := &checks{failedIn: map[string]bool{}}
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
