package lab

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A layer's length is known before it is written, so it must be the tar that archive/tar would have made.
func TestWriteLayer(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 511, 512, 513} {
		binary := filepath.Join(t.TempDir(), "etcd")
		if err := os.WriteFile(binary, bytes.Repeat([]byte("x"), size), 0o755); err != nil {
			t.Fatal(err)
		}
		var layer bytes.Buffer
		written, err := writeLayer(&layer, binary)
		if err != nil || written != int64(layer.Len()) || layer.Len()%512 != 0 {
			t.Errorf("size %d: wrote %d of %d: %v", size, written, layer.Len(), err)
		}
		want := []string{"tmp/", "usr/", "usr/local/", "usr/local/bin/", "usr/local/bin/etcd"}
		if diff := cmp.Diff(want, names(t, &layer)); diff != "" {
			t.Errorf("size %d (-want +got):\n%s", size, diff)
		}
	}
}

func names(t *testing.T, r io.Reader) []string {
	t.Helper()
	var all []string
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, header.Name)
	}
}
