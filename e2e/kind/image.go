// Package kind makes images of cluster nodes in which tripod, or the real kubeadm, does kubeadm's work, and clusters of
// them with an unmodified kind.
package kind

import (
	"archive/tar"
	"context"
	"embed"
	"fmt"

	"tripod.dev/tripod/e2e/docker"
	"tripod.dev/tripod/e2e/lab"
)

//go:embed node
var nodeFiles embed.FS

// Recipe says what a node image is like. Its zero value is tripod and the default version.
type Recipe struct {
	Version string // of Kubernetes; "" is lab.Default
	Kubeadm bool   // the real kubeadm in its place, to compare with
}

func (r Recipe) version() string {
	if r.Version == "" {
		return lab.Default
	}
	return r.Version
}

// Name is the name of the image.
func (r Recipe) Name() string {
	if r.Kubeadm {
		return "tripod/node-kubeadm:" + r.version()
	}
	return "tripod/node:" + r.version()
}

// label names the label of an image that says what it was made from.
const label = "dev.tripod.made-from"

// Image makes the node image of a recipe and returns its name. What has not changed since the last time is kept: a new
// tripod is a matter of seconds, the first image one of minutes.
func Image(ctx context.Context, l lab.Lab, e *docker.Engine, r Recipe) (string, error) {
	base, err := baseImage(ctx, l, e, r.version())
	if err != nil {
		return "", fmt.Errorf("node image: %w", err)
	}
	binary := l.Tripod()
	if r.Kubeadm {
		binary = l.Component(r.version(), "kubeadm")
	}
	key, err := keyOf(base, binary)
	if err != nil || e.Has(ctx, r.Name(), label, key) {
		return r.Name(), err
	}
	return r.Name(), e.AddLayer(ctx, r.Name(), docker.Layer{From: base, Changes: labels(key), Write: r.kubeadm(binary)})
}

// kubeadm writes the last layer, which alone differs between the two.
func (r Recipe) kubeadm(binary string) func(*tar.Writer) error {
	return func(w *tar.Writer) error {
		if r.Kubeadm {
			return docker.AddFile(w, "usr/bin/kubeadm", binary, 0o755)
		}
		if err := docker.AddFile(w, "usr/bin/tripod", binary, 0o755); err != nil {
			return err
		}
		return w.WriteHeader(&tar.Header{Name: "usr/bin/kubeadm", Linkname: "tripod", Typeflag: tar.TypeSymlink})
	}
}
