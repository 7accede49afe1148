package lab

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// Image is a container image made of one static binary, and at most one other layer.
type Image struct {
	Names  []string // full names, registry.k8s.io/etcd:3.6.8-0
	Binary string   // path on this machine; it lies at /usr/local/bin in the image
	Base   string   // a tar of what else is in the image; "" is nothing
}

// descriptor is OCI's reference to a blob.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

const (
	indexType    = "application/vnd.oci.image.index.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar"
)

// WriteArchive writes images as one OCI archive, which `ctr -n k8s.io images import` reads. Layers are not compressed:
// the archive never leaves the machine.
func WriteArchive(w io.Writer, images []Image) error {
	out := &archive{tar: tar.NewWriter(w)}
	if err := out.file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	var manifests []descriptor
	for _, image := range images {
		manifest, err := out.image(image)
		if err != nil {
			return fmt.Errorf("image of %s: %w", image.Binary, err)
		}
		for _, name := range image.Names {
			manifest.Annotations = map[string]string{"io.containerd.image.name": name}
			manifests = append(manifests, manifest)
		}
	}
	index := map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": manifests}
	data, err := json.Marshal(index)
	if err != nil {
		return err
	}
	if err := out.file("index.json", data); err != nil {
		return err
	}
	return out.tar.Close()
}

// archive is an OCI image layout that is being written as a tar stream.
type archive struct{ tar *tar.Writer }

func (a *archive) file(name string, data []byte) error {
	if err := a.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))}); err != nil {
		return err
	}
	_, err := a.tar.Write(data)
	return err
}

// image writes the blobs of an image and returns its manifest.
func (a *archive) image(image Image) (descriptor, error) {
	layers, err := a.layers(image)
	if err != nil {
		return descriptor{}, err
	}
	var contents []string
	for _, layer := range layers {
		contents = append(contents, layer.Digest)
	}
	config, err := a.document(configType, map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{
			"Entrypoint": []string{"/usr/local/bin/" + filepath.Base(image.Binary)},
			"Env":        []string{"PATH=/usr/local/bin:/usr/sbin:/usr/bin"},
		},
		"rootfs": map[string]any{"type": "layers", "diff_ids": contents},
	})
	if err != nil {
		return descriptor{}, err
	}
	return a.document(manifestType, map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "config": config, "layers": layers,
	})
}

func (a *archive) document(mediaType string, content any) (descriptor, error) {
	data, err := json.Marshal(content)
	if err != nil {
		return descriptor{}, err
	}
	digest := fmt.Sprintf("%x", sha256.Sum256(data))
	return descriptor{MediaType: mediaType, Digest: "sha256:" + digest, Size: int64(len(data))}, a.file("blobs/sha256/"+digest, data)
}

// layers writes the layers of an image, the binary's last.
func (a *archive) layers(image Image) ([]descriptor, error) {
	var layers []descriptor
	if image.Base != "" {
		base, err := a.layer(func(w io.Writer) (int64, error) { return writeFile(w, image.Base) })
		if err != nil {
			return nil, err
		}
		layers = append(layers, base)
	}
	binary, err := a.layer(func(w io.Writer) (int64, error) { return writeLayer(w, image.Binary) })
	return append(layers, binary), err
}

// layer writes a tar. Its digest is its name, so it is written twice.
func (a *archive) layer(write func(io.Writer) (int64, error)) (descriptor, error) {
	hash := sha256.New()
	size, err := write(hash)
	if err != nil {
		return descriptor{}, err
	}
	digest := fmt.Sprintf("%x", hash.Sum(nil))
	if err := a.tar.WriteHeader(&tar.Header{Name: "blobs/sha256/" + digest, Mode: 0o644, Size: size}); err != nil {
		return descriptor{}, err
	}
	_, err = write(a.tar)
	return descriptor{MediaType: layerType, Digest: "sha256:" + digest, Size: size}, err
}

func writeFile(w io.Writer, path string) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return io.Copy(w, file)
}

// writeLayer writes a layer that holds the binary and returns how long it is. It is the same for the same binary.
func writeLayer(w io.Writer, binary string) (int64, error) {
	file, err := os.Open(binary)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	var head bytes.Buffer
	layer := tar.NewWriter(&head)
	for _, dir := range []string{"tmp/", "usr/", "usr/local/", "usr/local/bin/"} {
		if err := layer.WriteHeader(&tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
			return 0, err
		}
	}
	header := &tar.Header{Name: "usr/local/bin/" + filepath.Base(binary), Mode: 0o755, Size: info.Size()}
	if err := layer.WriteHeader(header); err != nil {
		return 0, err
	}
	return copyAll(w, &head, file, endOfTar(info.Size()))
}

// endOfTar is what follows the last file of a tar: padding to a block, and two empty blocks.
func endOfTar(size int64) io.Reader {
	const block = 512
	return bytes.NewReader(make([]byte, (block-size%block)%block+2*block))
}

func copyAll(w io.Writer, parts ...io.Reader) (int64, error) {
	return io.Copy(w, io.MultiReader(parts...))
}
