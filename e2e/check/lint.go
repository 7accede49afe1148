package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// lint checks the product's code and the tests' alike.
func (c *checks) lint() {
	tools := "-modfile=" + filepath.Join(c.e2eDir(), "tools", "go.mod")
	c.gofmt()
	c.calls()
	for _, dir := range []string{c.root, c.e2eDir()} {
		c.command("go vet", dir, "go", "vet", "./...")
		c.command("staticcheck", dir, "go", "tool", tools, "staticcheck", "./...")
		c.command("go mod tidy", dir, "go", "mod", "tidy", "-diff")
	}
	c.govulncheck(tools)
}

func (c *checks) gofmt() {
	out, err := exec.Command("gofmt", "-l", c.root).CombinedOutput()
	if err == nil && len(out) > 0 {
		err = errors.New("these files are not formatted")
	}
	c.verdict("gofmt", out, err)
}

// govulncheck ends with 3 when it has found something; any other failure means that it could not look.
func (c *checks) govulncheck(tools string) {
	cmd := exec.Command("go", "tool", tools, "govulncheck", "./...")
	cmd.Dir = c.root
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err == nil || errors.As(err, &exit) && exit.ExitCode() == 3 {
		c.verdict("govulncheck", out, err)
		return
	}
	c.skip("govulncheck", "its database can not be reached: "+lastLine(out))
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// command runs one check and says whether it passed.
func (c *checks) command(name, dir string, argv ...string) bool {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	where, _ := filepath.Rel(filepath.Dir(c.root), dir)
	return c.verdict(name+" ("+where+")", out, err)
}

// verdict counts a check that is not a Go test, and shows the output of one that failed.
func (c *checks) verdict(name string, out []byte, err error) bool {
	if err == nil {
		fmt.Println("ok  \t" + name)
		c.pass()
		return true
	}
	fmt.Printf("FAIL\t%s: %v\n%s", name, err, out)
	c.fail(name)
	return false
}
