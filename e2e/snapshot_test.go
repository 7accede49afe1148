package e2e

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/e2e/lab"
)

// written are the places that an init writes to. What the kubelet and etcd write there for themselves is not looked at.
var written = []string{
	"/etc/kubernetes", "/var/lib/kubelet/config.yaml", "/var/lib/kubelet/instance-config.yaml",
	"/var/lib/kubelet/kubeadm-flags.env", "/var/lib/kubelet/pki", "/var/lib/etcd",
}

// listing tells what lies there: mode, link target and digest by path.
func listing(n *lab.Node) (map[string]string, error) {
	files := map[string]string{}
	for _, root := range written {
		err := filepath.WalkDir(n.Path(root), func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			inside, err := filepath.Rel(n.Path("/"), path)
			if err != nil {
				return err
			}
			if inside == "var/lib/etcd/member" {
				return fs.SkipDir
			}
			files["/"+inside], err = describe(path, entry)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

func describe(path string, entry fs.DirEntry) (string, error) {
	info, err := entry.Info()
	if err != nil {
		return "", err
	}
	switch {
	case entry.Type() == fs.ModeSymlink:
		target, err := os.Readlink(path)
		return "-> " + target, err
	case entry.Type().IsRegular():
		data, err := os.ReadFile(path)
		return fmt.Sprintf("%s %x", info.Mode(), sha256.Sum256(data)), err
	}
	return info.Mode().String(), nil
}

func snapshot(t *testing.T, n *lab.Node) map[string]string {
	t.Helper()
	files, err := listing(n)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func wantSame(t *testing.T, before, after map[string]string) {
	t.Helper()
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("files changed (-before +after):\n%s", diff)
	}
}
