package lab

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// etcdTags are the etcd images by Kubernetes version: kubeadm's of that release, and ours (the newest, for all).
var etcdTags = map[string][]string{
	Default:       {"3.6.8-0"},
	PreviousMinor: {"3.6.6-0"},
}

// Images are the images that a control plane of a Kubernetes version is made of, and, of an earlier one, those that it is
// upgraded to.
func (l Lab) Images(version string) []Image {
	pause := Image{Binary: filepath.Join(l.Root, "bin", "e2e", "pause"), Names: []string{
		pauseImage, "registry.k8s.io/pause:3.10.1",
		// Nothing here runs the addons, but kubeadm wants to see their images before it begins.
		"registry.k8s.io/kube-proxy:" + version,
		"registry.k8s.io/coredns/coredns:v1.14.2", "registry.k8s.io/coredns/coredns:v1.13.1",
	}}
	images := []Image{pause}
	for _, component := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		images = append(images, Image{Names: []string{imageName(component, version)}, Binary: l.Component(version, component)})
	}
	for _, tag := range etcdTags[version] {
		images = append(images, Image{Names: []string{imageName("etcd", tag)}, Binary: l.Component(version, "etcd")})
	}
	if version != Default { // to be upgraded to, and tripod runs the newest etcd under every minor
		images[0].Names = append(images[0].Names, "registry.k8s.io/kube-proxy:"+Default)
		images = append(images, l.Images(Default)[1:]...)
	}
	return images
}

func imageName(component, tag string) string { return "registry.k8s.io/" + component + ":" + tag }

// shareImages fills dir as a containerd root that holds the images of a version already unpacked. Blobs and snapshots
// are never written again, so nodes share them by hard links; the databases are copies.
func (l Lab) shareImages(ctx context.Context, version, dir string) error {
	store, err := l.imageStore(ctx, version)
	if err != nil {
		return fmt.Errorf("prepare the images of %s: %w", version, err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "cp", "-al", store, dir).CombinedOutput(); err != nil {
		return fmt.Errorf("share the images: %w: %s", err, out)
	}
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".db" {
			return err
		}
		return ownCopy(path)
	})
}

// ownCopy replaces a hard link by a copy.
func ownCopy(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// imageStore returns the folder that holds the images of a version as containerd keeps them, and makes it if the
// binaries have changed since. Several processes may ask at once.
func (l Lab) imageStore(ctx context.Context, version string) (string, error) {
	key, err := imageKey(l.Images(version))
	if err != nil {
		return "", err
	}
	parent := filepath.Join(l.folder(), "images")
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFile(filepath.Join(parent, ".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	store := filepath.Join(parent, version+"-"+key)
	if _, err := os.Stat(store); err == nil {
		return store, nil
	}
	removeOthers(parent, version)
	return store, l.fillStore(ctx, version, store)
}

// removeOthers removes the stores of a version's earlier binaries.
func removeOthers(parent, version string) {
	old, _ := filepath.Glob(filepath.Join(parent, version+"-*"))
	for _, dir := range old {
		os.RemoveAll(dir)
	}
}

// fillStore has a containerd import the images, and keeps its folder.
func (l Lab) fillStore(ctx context.Context, version, store string) error {
	n, err := l.Start(ctx, Machine{Version: version, Name: "images", NoKubelet: true, NoImages: true})
	if err != nil {
		return err
	}
	if err := n.importImages(ctx); err != nil {
		return errors.Join(err, n.Close())
	}
	if err := n.stopContainerd(ctx); err != nil {
		return errors.Join(err, n.Close())
	}
	root := filepath.Join(n.dir.path, "disk/var/lib/containerd")
	return errors.Join(os.Rename(root, store), n.Close())
}

func (n *Node) importImages(ctx context.Context) error {
	cmd := n.Command(ctx, "ctr", "--namespace", "k8s.io", "images", "import", "--local", "--snapshotter", snapshotter(n.dir.path), "-")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return err
	}
	written := errors.Join(WriteArchive(stdin, n.lab.Images(n.Version)), stdin.Close())
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("ctr images import: %w: %s", err, out.String())
	}
	return written
}

// stopContainerd ends containerd in order, so that its databases are whole.
func (n *Node) stopContainerd(ctx context.Context) error {
	_, err := n.Run(ctx, "sh", "-c", `read -r pid </run/containerd.pid; kill "$pid"; while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done; sync`)
	return err
}

// imageKey changes when a binary does. Times and sizes are enough: hashing half a gigabyte would take seconds.
func imageKey(images []Image) (string, error) {
	hash := sha256.New()
	for _, image := range images {
		info, err := os.Stat(image.Binary)
		if err != nil {
			return "", fmt.Errorf("%w (run: make components containerd)", err)
		}
		fmt.Fprintln(hash, image.Names, info.Size(), info.ModTime().UnixNano())
	}
	return fmt.Sprintf("%x", hash.Sum(nil)[:6]), nil
}
