// Package lab gives tests and benchmarks real things to work on: machines of their own ([Node]: namespaces with a real
// containerd and a kubelet that somebody else keeps running), the raw component processes ([Raw]), and processes that
// are in the way ([Lab.Hold]).
//
// It knows nothing of tripod but where its binary lies. What it starts, it ends: every process, namespace, mount,
// control group and folder, also when the test that asked for it dies.
package lab

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Default is the Kubernetes version that is built for everything; PreviousMinor the one before.
const (
	Default       = "v1.36.3"
	PreviousMinor = "v1.35.4"
)

// Lab is a checkout of the repository with its built binaries.
type Lab struct {
	Root string // the folder of the product's go.mod
}

// Find returns the checkout that the working directory lies in.
func Find() (Lab, error) {
	dir, err := os.Getwd()
	if err != nil {
		return Lab{}, err
	}
	for ; ; dir = filepath.Dir(dir) {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte("module tripod.dev/tripod\n")) {
			return Lab{Root: dir}, nil
		}
		if dir == filepath.Dir(dir) {
			return Lab{}, errors.New("not inside a checkout of tripod.dev/tripod")
		}
	}
}

// Tripod is the path of the tripod binary.
func (l Lab) Tripod() string { return filepath.Join(l.Root, "bin", "tripod") }

// Components is the folder of the component binaries of a Kubernetes version (v1.36.3).
func (l Lab) Components(version string) string {
	return filepath.Join(l.Root, "bin", "components", version)
}

// Component is the path of one binary of a Kubernetes version.
func (l Lab) Component(version, name string) string {
	return filepath.Join(l.Components(version), name)
}

// tools is the search path for the programs of a node.
func (l Lab) tools(version string) string {
	return strings.Join([]string{l.Components(version), l.Components("containerd"), filepath.Join(l.Root, "bin"), filepath.Join(l.Root, "bin", "e2e")}, ":")
}
