package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/manifests"
)

// binariesOf is the directory of the component binaries of a version: the given one, or the usual one beside tripod. What is
// in it has to say itself that it is of that version.
func binariesOf(ctx context.Context, dir string, v config.Version) (string, error) {
	if dir == "" {
		exe, err := os.Executable()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(filepath.Dir(exe), "components", v.Tag())
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	var missing []string
	for _, component := range manifests.Components() {
		if info, err := os.Stat(filepath.Join(dir, component)); err != nil || info.Mode()&0o111 == 0 {
			missing = append(missing, component)
		}
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("--bin-dir %s: there is no executable %s\nhint: make components builds them", dir, strings.Join(missing, ", "))
	}
	return dir, ofVersion(ctx, dir, v)
}

// versionWithin is the time that a program has to say its version.
const versionWithin = 30 * time.Second

// saidVersion is how Kubernetes' programs say it: Kubernetes v1.36.3.
var saidVersion = regexp.MustCompile(`^Kubernetes (v[0-9][^ \n]*)`)

// ofVersion asks the programs of Kubernetes for their version. etcd has versions of its own.
func ofVersion(ctx context.Context, dir string, v config.Version) error {
	ctx, stop := context.WithTimeout(ctx, versionWithin)
	defer stop()
	var all multierror.Group
	for _, component := range manifests.Components() {
		if component == "etcd" {
			continue
		}
		all.Go(func() error {
			path := filepath.Join(dir, component)
			out, err := exec.CommandContext(ctx, path, "--version").Output()
			if err != nil {
				return fmt.Errorf("%s --version: %w\nhint: it has to be a program for this machine", path, err)
			}
			said := saidVersion.FindSubmatch(out)
			if said == nil {
				return fmt.Errorf("%s --version does not say Kubernetes v1.2.3 but %.60q\nhint: --bin-dir is the directory of the programs of one version", path, out)
			}
			if string(said[1]) != v.Tag() {
				return fmt.Errorf("%s is of Kubernetes %s, not of %s\nhint: --bin-dir is the directory of the programs of one version", path, said[1], v.Tag())
			}
			return nil
		})
	}
	err := all.Wait().ErrorOrNil()
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	return err
}
