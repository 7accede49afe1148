package main

import (
	"fmt"
	"strings"
)

// mostAgain is how many tests are run once more: where more have failed it is not for the machine's sake.
const mostAgain = 3

// runAgain runs the few tests that failed once more, one after the other, with nothing beside them: a shared machine may
// stall for seconds, and a fault of tripod's fails twice. What passes then does not count as failed, but is told.
func (c *checks) runAgain() {
	again := c.again
	c.again = map[string][]string{}
	count := 0
	for _, tests := range again {
		count += len(tests)
	}
	if count > mostAgain {
		return
	}
	for pkg, tests := range again {
		for _, test := range tests {
			c.onceMore(pkg, test)
		}
	}
}

// onceMore runs one failed test once more. If it passes, its failures are taken back.
func (c *checks) onceMore(pkg, test string) {
	fmt.Println("once more, alone:", test)
	before := c.failures
	c.failures = nil
	c.goTest(c.e2eDir(), "-run=^"+test+"$", "-count=1", "-timeout=30m", pkg)
	if len(c.failures) > 0 {
		c.failures = append(before, c.failures...)
		return
	}
	var flaked []failure
	c.failures, flaked = withdrawn(before, event{Package: pkg, Test: test}.id())
	c.flaked = append(c.flaked, flaked...)
}

// withdrawn parts the failures of a test and its cases from all others.
func withdrawn(failures []failure, id string) (kept, flaked []failure) {
	for _, f := range failures {
		if f.name == id || strings.HasPrefix(f.name, id+"/") {
			flaked = append(flaked, f)
		} else {
			kept = append(kept, f)
		}
	}
	return kept, flaked
}
