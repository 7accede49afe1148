// Command flags writes the tables of the flags that components know, manifests/flags/COMPONENT-MINOR.txt, and of their
// feature gates, manifests/flags/feature-gates-(kubernetes|etcd)-MINOR.txt, from the versions that e2e/components pins. Where their packages have not been built yet, that takes minutes.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	root, err := filepath.Abs("..")
	if err != nil {
		log.Fatal(err)
	}
	if err := (repository{root}).write(); err != nil {
		log.Fatal(err)
	}
}

// A repository is tripod's, by its directory.
type repository struct{ root string }

// write writes all tables. Of etcd, 3.5 is built nowhere: its source is enough.
func (r repository) write() error {
	var errs []error
	for _, version := range []string{"v1.34.4", "v1.35.4", "v1.36.3"} {
		for _, component := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
			names, err := r.kubernetes(version, component)
			errs = append(errs, r.table(component, version, names, err))
		}
		names, err := r.gates(version)
		errs = append(errs, r.table("feature-gates-kubernetes", version, names, err))
	}
	for _, version := range []string{"v3.5.24", "v3.6.8"} {
		names, err := r.etcd(version)
		errs = append(errs, r.table("etcd", version, names, err))
		names, err = r.etcdGates(version)
		errs = append(errs, r.table("feature-gates-etcd", version, names, err))
	}
	return errors.Join(errs...)
}

func (r repository) table(component, version string, names []byte, err error) error {
	if err != nil {
		return fmt.Errorf("%s %s: %w", component, version, err)
	}
	if len(names) == 0 {
		return nil
	}
	minor := version[1:strings.LastIndex(version, ".")]
	path := filepath.Join(r.root, "manifests", "flags", component+"-"+minor+".txt")
	return os.WriteFile(path, names, 0o644)
}

// kubernetes asks the component's own code, compiled in the module of its version.
func (r repository) kubernetes(version, component string) ([]byte, error) {
	program := filepath.Join(r.root, "e2e", "flags", "kubernetes", "main.go")
	return r.run(filepath.Join("e2e", "components", version, "kubernetes"),
		"go", "run", "-trimpath", "-ldflags", "-s -w", program, component)
}

// etcd reads the source of the server's module.
func (r repository) etcd(version string) ([]byte, error) {
	source, err := r.module("go.etcd.io/etcd/server/v3", version)
	if err != nil {
		return nil, err
	}
	return etcdFlags(source)
}

// module is the directory with the source of a module.
func (r repository) module(path, version string) (string, error) {
	if _, err := r.run(".", "go", "mod", "download", path+"@"+version); err != nil {
		return "", err
	}
	cache, err := r.run(".", "go", "env", "GOMODCACHE")
	if err != nil {
		return "", err
	}
	return filepath.Join(string(bytes.TrimSpace(cache)), filepath.FromSlash(path)+"@"+version), nil
}

func (r repository) run(dir, name string, args ...string) ([]byte, error) {
	c := exec.Command(name, args...)
	c.Dir, c.Stderr = filepath.Join(r.root, dir), os.Stderr
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod")
	return c.Output()
}
