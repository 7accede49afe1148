package lab

import (
	"fmt"
	"os"
	"os/exec"
)

// NoNodes says why this machine can not run a [Node], or "" if it can.
func NoNodes() string {
	if os.Getuid() != 0 {
		return "it takes root"
	}
	for _, program := range []string{"runc", "ip", "nsenter", "mount", "bash"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Sprintf("there is no %s", program)
		}
	}
	if len(hierarchies()) == 0 {
		return "no control groups are mounted at " + cgroupRoot
	}
	return ""
}
