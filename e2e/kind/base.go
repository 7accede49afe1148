package kind

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tripod.dev/tripod/e2e/docker"
	"tripod.dev/tripod/e2e/lab"
)

// baseImage is everything but kubeadm.
func baseImage(ctx context.Context, l lab.Lab, e *docker.Engine, version string) (string, error) {
	b := base{lab: l, engine: e, version: version}
	var err error
	if b.machine, err = machine().make(ctx, b.folder()); err != nil {
		return "", err
	}
	if b.proxyTools, err = proxyTools().make(ctx, b.folder()); err != nil {
		return "", err
	}
	key, err := b.key()
	if err != nil {
		return "", fmt.Errorf("%w\nhint: make kind-image builds what it needs", err)
	}
	name := "tripod/node-base:" + version + "-" + key
	if e.Has(ctx, name, label, key) {
		return name, nil
	}
	return name, b.build(ctx, name, key)
}

// base is an image that is being made.
type base struct {
	lab                 lab.Lab
	engine              *docker.Engine
	version             string
	machine, proxyTools string // files
}

func (b base) folder() string { return filepath.Join(b.lab.Root, "bin", "e2e", "node") }

// programs are the binaries of a node by their path in there.
func (b base) programs() map[string]string {
	programs := map[string]string{}
	for _, name := range []string{"kubelet", "kubectl"} {
		programs["usr/bin/"+name] = b.lab.Component(b.version, name)
	}
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr"} {
		programs["usr/local/bin/"+name] = b.lab.Component("containerd", name)
	}
	programs["usr/local/bin/crictl"] = b.lab.Component("crictl", "crictl")
	programs["usr/local/bin/etcdctl"] = b.lab.Component(b.version, "etcdctl")
	return programs
}

// key changes with anything that the image is made from.
func (b base) key() (string, error) {
	inputs := []string{b.machine, b.proxyTools}
	for _, file := range b.programs() {
		inputs = append(inputs, file)
	}
	for _, image := range b.images() {
		inputs = append(inputs, image.Binary)
	}
	var content bytes.Buffer
	if err := writeNodeFiles(tar.NewWriter(&content)); err != nil {
		return "", err
	}
	return keyOf(content.String(), inputs...)
}

// build makes the image: the file system, the programs and files, the images that pods are made of.
func (b base) build(ctx context.Context, name, key string) error {
	bare := "tripod/node-bare:" + b.version
	if err := b.engine.Import(ctx, b.machine, bare); err != nil {
		return err
	}
	if err := b.engine.AddLayer(ctx, bare, docker.Layer{From: bare, Write: b.files}); err != nil {
		return err
	}
	// Not --volume: that would become part of the image, and every node would get one.
	id, err := b.engine.Run(ctx, "create", "--interactive", "--privileged", "--network=none", "--stop-signal=SIGRTMIN+3",
		"--mount=type=volume,destination=/import", "--entrypoint=/kind/bin/import-images", bare)
	if err != nil {
		return err
	}
	defer b.engine.Remove(id)
	archive := func(w io.Writer) error { return lab.WriteArchive(w, b.images()) }
	if _, err := b.engine.Feed(ctx, archive, "start", "--attach", "--interactive", id); err != nil {
		return fmt.Errorf("import the images: %w", err)
	}
	if err := b.engine.Commit(ctx, id, name, append(nodeSettings(), labels(key)...)); err != nil {
		return err
	}
	b.removeOthers(ctx, name)
	return nil
}

// removeOthers removes the names of the version's earlier bases; docker removes what nothing uses any more.
func (b base) removeOthers(ctx context.Context, name string) {
	all, _ := b.engine.Run(ctx, "images", "--format={{.Repository}}:{{.Tag}}", "tripod/node-base")
	for _, other := range strings.Fields(all) {
		if other != name && strings.HasPrefix(other, "tripod/node-base:"+b.version+"-") {
			_, _ = b.engine.Run(ctx, "rmi", other)
		}
	}
}

// nodeSettings is what docker must know about a node.
func nodeSettings() []string {
	return []string{`ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]`, "ENV container=docker"}
}

func labels(key string) []string { return []string{"LABEL " + label + "=" + key} }

// files writes what a node has beside the Debian system.
func (b base) files(w *tar.Writer) error {
	if err := writeNodeFiles(w); err != nil {
		return err
	}
	programs := b.programs()
	for _, path := range slices.Sorted(maps.Keys(programs)) {
		if err := docker.AddFile(w, path, programs[path], 0o755); err != nil {
			return err
		}
	}
	for _, unit := range []string{"containerd.service", "kubelet.service"} {
		link := tar.Header{Name: "etc/systemd/system/multi-user.target.wants/" + unit, Linkname: "../" + unit, Typeflag: tar.TypeSymlink, Mode: 0o777}
		if err := w.WriteHeader(&link); err != nil {
			return err
		}
	}
	return writeFile(w, "kind/version", b.version, 0o644)
}

// writeNodeFiles writes the files of the folder node. What lies in a folder bin is a program.
func writeNodeFiles(w *tar.Writer) error {
	return fs.WalkDir(nodeFiles, "node", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := nodeFiles.ReadFile(path)
		if err != nil {
			return err
		}
		mode := int64(0o644)
		if filepath.Base(filepath.Dir(path)) == "bin" {
			mode = 0o755
		}
		return writeFile(w, strings.TrimPrefix(path, "node/"), string(content), mode)
	})
}

func writeFile(w *tar.Writer, name, content string, mode int64) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := io.WriteString(w, content)
	return err
}

// images are those of a cluster's own pods, and of an earlier version, those that it is upgraded to.
func (b base) images() []lab.Image {
	images := b.lab.Images(b.version)
	images[0].Names = slices.DeleteFunc(images[0].Names, func(name string) bool { return strings.Contains(name, "/kube-proxy:") })
	for _, version := range slices.Compact([]string{b.version, lab.Default}) {
		images = append(images, lab.Image{
			Names:  []string{"registry.k8s.io/kube-proxy:" + version},
			Binary: b.lab.Component(version, "kube-proxy"), Base: b.proxyTools,
		})
	}
	dns := lab.Image{
		Names:  []string{"registry.k8s.io/coredns/coredns:v1.14.2", "registry.k8s.io/coredns/coredns:v1.13.1"},
		Binary: b.lab.Component("coredns", "coredns"),
	}
	return append(images, dns)
}

// keyOf changes when a text does, or a file. Time and size are enough: hashing half a gigabyte would take seconds.
func keyOf(text string, files ...string) (string, error) {
	inputs := []string{text}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return "", err
		}
		inputs = append(inputs, fmt.Sprint(file, info.Size(), info.ModTime().UnixNano()))
	}
	slices.Sort(inputs)
	return digest(strings.Join(inputs, "\n")), nil
}
