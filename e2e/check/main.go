// Check is what `make test`, `make drill` and `make lint` run. It installs and builds what the tests need, runs
// everything that this machine can run, says loudly what it can not, and ends with one line of counts.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"tripod.dev/tripod/e2e/lab"
)

func main() {
	log.SetFlags(0)
	only := flag.String("only", "", "run one of: lint unit e2e")
	drill := flag.Bool("drill", false, "run the long tests instead")
	flag.Parse()
	l, err := lab.Find()
	if err != nil {
		log.Fatal("check: ", err)
	}
	if *drill {
		os.Setenv("TRIPOD_DRILL", "1")
	}
	c := newChecks(l.Root)
	for _, part := range c.parts(*drill) {
		if *only == "" || *only == part.name {
			part.run()
		}
	}
	c.summary()
	if len(c.failures) > 0 {
		os.Exit(1)
	}
}

// part is one part of the tests.
type part struct {
	name string
	run  func()
}

// parts are the parts in the order in which they run: what fails fast comes first.
func (c *checks) parts(drill bool) []part {
	if drill {
		return []part{
			{"e2e", func() {
				c.e2e("-run=Kill|Partition|JoinMaster|Vanish|Reset|Sandbox|Upgrade|Renew|Kubelet|Kind|AfterVerb|Broken", "-timeout=6h")
			}},
		}
	}
	return []part{
		{"lint", c.lint},
		{"unit", c.unit},
		{"e2e", func() { c.e2e("-timeout=45m"); c.runAgain() }},
	}
}

// unit runs the product's own tests, those of etcd against a real one, and the killpoints where they are compiled in.
func (c *checks) unit() {
	c.install()
	if c.build() {
		c.goTest(c.root, c.race("-timeout=15m", "./...")...)
		c.goTest(c.root, "-tags=killpoint", "./internal/host")
	}
}

// e2e builds what the end-to-end tests run, and runs them: those that have seconds to keep one after the other, the others two
// at a time, each with machines or addresses of its own; beside them the clusters by kind. Most of all that is waiting.
func (c *checks) e2e(args ...string) {
	c.install()
	if c.build() {
		c.goTest(c.e2eDir(), append(args, "-count=1", "-p=2", "-parallel=2", "./...")...)
	}
}

// build shows its output as it comes: without a build cache it takes a quarter of an hour.
func (c *checks) build() bool {
	if c.built {
		return true
	}
	cmd := exec.Command("make", "build", "components", "containerd", "kind-parts", "helpers")
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.root, os.Stdout, os.Stderr
	c.built = c.verdict("build", nil, cmd.Run())
	return c.built
}

func (c *checks) e2eDir() string { return filepath.Join(c.root, "e2e") }

// checks counts what was run.
type checks struct {
	root             string
	passed, skipped  int
	notRun           []string
	drills           []string // tests that are left to make drill
	failures         []failure
	flaked           []failure           // of tests that passed when they ran once more
	again            map[string][]string // tests to run once more, by package
	failedIn         map[string]bool     // packages of failed tests
	installed, built bool
}

func newChecks(root string) *checks {
	return &checks{root: root, failedIn: map[string]bool{}, again: map[string][]string{}}
}

func (c *checks) pass() { c.passed++ }

// failure is what has failed, and what it has said.
type failure struct {
	name string
	said []string
}

func (c *checks) fail(name string, said ...string) {
	c.failures = append(c.failures, failure{name, said})
}

// skip notes what this machine can not run.
func (c *checks) skip(name, why string) {
	c.skipped++
	c.notRun = append(c.notRun, name+": "+why)
}

func (c *checks) summary() {
	fmt.Println()
	tell("FLAKED: ", c.flaked)
	tell("FAILED: ", c.failures)
	for _, what := range c.notRun {
		fmt.Println("NOT RUN:", what)
	}
	if len(c.drills) > 0 {
		fmt.Println("LEFT TO make drill:", strings.Join(c.drills, " "))
	}
	fmt.Printf("%d passed, %d failed, %d skipped, %d drills not run\n", c.passed, len(c.failures), c.skipped, len(c.drills))
}

func tell(mark string, failures []failure) {
	for _, f := range failures {
		fmt.Println(mark + f.name)
		for _, line := range f.said {
			fmt.Println(line)
		}
	}
}
