package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// needed are the programs that the tests run but do not build, and the Debian packages that have them.
var needed = []struct{ program, packages string }{
	{"runc", "runc"},
	{"ip", "iproute2"},
	{"nsenter", "util-linux"},
	{"gcc", "gcc libc6-dev"}, // the race detector
	{"docker", "docker.io iptables"},
	{"dockerd", "docker.io iptables"},
	{"mmdebstrap", "mmdebstrap debian-archive-keyring"}, // the node image
}

// install gets from Debian what is missing, where it may. What is still missing then, the tests name themselves.
func (c *checks) install() {
	if c.installed {
		return
	}
	c.installed = true
	var packages []string
	for _, n := range needed {
		if !have(n.program) {
			packages = append(packages, strings.Fields(n.packages)...)
		}
	}
	if len(packages) == 0 || os.Getuid() != 0 || !have("apt-get") {
		return
	}
	fmt.Println("installing", strings.Join(packages, " "))
	c.command("apt-get update", c.root, "apt-get", "update", "-q")
	c.command("apt-get install", c.root, append([]string{"apt-get", "install", "-qy", "--no-install-recommends"}, packages...)...)
}

func have(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// race adds -race where there is the C compiler that it needs.
func (c *checks) race(args ...string) []string {
	if have("gcc") {
		return append([]string{"-race"}, args...)
	}
	c.skip("race detector", "there is no gcc")
	return args
}
