package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/sandbox"
	"tripod.dev/tripod/manifests"
	"tripod.dev/tripod/phases"
)

// differs refuses what the flags say otherwise than it is in a sandbox that has been up: up changes nothing of what runs,
// nor of what the cluster keeps. What is not given is not asked for. one is a master that has been up.
func (u *sandboxUp) differs(ctx context.Context, r *raising, one sandbox.Master) error {
	s := *r.sandbox
	if u.version != "" {
		v, err := config.KubernetesVersion(u.version)
		if err != nil {
			return &inputError{err}
		}
		if runs := s.Version(one); runs != v.Tag() {
			return &inputError{otherVersion(s, runs, v.Tag())}
		}
	}
	if err := u.otherBinaries(s, one); err != nil {
		return &inputError{err}
	}
	if u.config == "" && u.patches == "" {
		return nil
	}
	differing, err := u.configurations(ctx, r, one)
	if err != nil || differing == "" {
		return err
	}
	var flags []string
	for flag, path := range map[string]string{"-f": u.config, "--patches": u.patches} {
		if path != "" {
			flags = append(flags, flag+" "+path)
		}
	}
	return &inputError{fmt.Errorf("sandbox %s has another configuration than is given (- what it has, + what is given):\n%s\n"+
		"hint: tripod sandbox apply --name %s %s makes it so; without --config and --patches up brings back what there is",
		s.Name, strings.TrimRight(differing, "\n"), s.Name, strings.Join(flags, " "))}
}

func otherVersion(s sandbox.Sandbox, runs, wanted string) error {
	from, err := config.ParseVersion(runs)
	to, err2 := config.ParseVersion(wanted)
	if err == nil && err2 == nil && to.Compare(from) < 0 {
		return fmt.Errorf("sandbox %s runs Kubernetes %s, not %s\nhint: a sandbox does not become older; give the new one another --name (tripod sandbox up --name OTHER --kubernetes-version %s)",
			s.Name, runs, wanted, wanted)
	}
	return fmt.Errorf("sandbox %s runs Kubernetes %s, not %s\nhint: tripod sandbox upgrade --name %s --to %s upgrades it, or give the new one another --name",
		s.Name, runs, wanted, s.Name, wanted)
}

// otherBinaries refuses another directory of binaries than the sandbox has.
func (u *sandboxUp) otherBinaries(s sandbox.Sandbox, one sandbox.Master) error {
	if u.binDir == "" {
		return nil
	}
	dir, err := filepath.Abs(u.binDir)
	if err != nil || dir == s.Binaries(one) {
		return err
	}
	return fmt.Errorf("sandbox %s runs the programs of %s, not of %s\nhint: tripod sandbox upgrade --name %s --to %s --bin-dir %s changes over to them",
		s.Name, s.Binaries(one), dir, s.Name, s.Version(one), u.binDir)
}

// configurations is how what is given differs from what the cluster keeps, or kept when it was up; "" where it does not.
func (u *sandboxUp) configurations(ctx context.Context, r *raising, one sandbox.Master) (string, error) {
	cfg, err := r.livingConfig(one)
	if err != nil {
		return "", err
	}
	has, err := phases.GatherAsItIs(ctx, sandboxSite(*r.sandbox, one), cfg, phases.Wish{Verb: r.verb})
	if err != nil {
		return "", err
	}
	cluster, err := u.clusterDiffers(has)
	if err != nil || u.patches == "" {
		return cluster, err
	}
	given, err := phases.ReadPatchDir(u.patches)
	if err != nil {
		return "", &inputError{err}
	}
	return cluster + manifests.Diff("patches", texts(has.KeptPatches), texts(given), around), nil
}

// around is how many unchanged lines stand around a difference: enough to see whose value it is.
const around = 3

// clusterDiffers is how the given configuration differs.
func (u *sandboxUp) clusterDiffers(has phases.Master) (string, error) {
	if u.config == "" {
		return "", nil
	}
	data, err := config.ReadFile(u.config)
	if err != nil {
		return "", &inputError{err}
	}
	wanted, _, err := has.WithDocuments(data, u.config)
	if err != nil {
		return "", &inputError{err}
	}
	was, err := documents(has.Config)
	is, err2 := documents(wanted)
	return manifests.Diff("ClusterConfiguration", was, is, around), errors.Join(err, err2)
}

// documents are what a file says of all masters.
func documents(c config.Config) ([]byte, error) {
	cluster, err := c.ClusterDocument()
	if err != nil {
		return nil, err
	}
	kubelet, err := yaml.Marshal(c.Kubelet)
	return slices.Concat(cluster, []byte("---\n"), kubelet), err
}

// texts are patches in a form that can be compared; nothing for none.
func texts(patches map[string]string) []byte {
	if len(patches) == 0 {
		return nil
	}
	data, _ := yaml.Marshal(patches) // strings can always be written
	return data
}
