// Capless is an OCI runtime: runc, but never asked for a capability that this machine can not give. A machine whose
// bounding set lacks one can otherwise run no privileged container at all. Where all capabilities are there, it changes
// nothing.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "capless:", err)
		os.Exit(1)
	}
}

func run(argv []string) error {
	if file, at := document(argv[1:]); file != "" {
		missing, err := missingHere()
		if err == nil {
			err = shed(file, at, missing)
		}
		if err != nil {
			return err
		}
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return err
	}
	return syscall.Exec(runc, append([]string{"runc"}, argv[1:]...), os.Environ())
}
