package docker

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
)

// Layer is what an image gets on top of another one. It is made by create, cp and commit, which every engine and every
// docker command know; building would need a builder.
type Layer struct {
	From    string
	Write   func(*tar.Writer) error // the files
	Changes []string                // instructions of a Dockerfile: ENV, ENTRYPOINT, LABEL ...
}

// AddLayer makes an image of a layer and gives it a name.
func (e *Engine) AddLayer(ctx context.Context, name string, l Layer) error {
	id, err := e.Run(ctx, "create", l.From, "nothing")
	if err != nil {
		return err
	}
	defer e.Remove(id)
	if _, err := e.Feed(ctx, asTar(l.Write), "cp", "-", id+":/"); err != nil {
		return err
	}
	return e.Commit(ctx, id, name, l.Changes)
}

// Commit makes an image of what a container has become.
func (e *Engine) Commit(ctx context.Context, id, name string, changes []string) error {
	args := []string{"commit", "--pause=false"}
	for _, change := range changes {
		args = append(args, "--change", change)
	}
	return e.replace(ctx, name, nil, append(args, id, name)...)
}

// replace runs the command that makes an image. The one that had the name before goes, unless it is used.
func (e *Engine) replace(ctx context.Context, name string, write func(io.Writer) error, args ...string) error {
	before, _ := e.Run(ctx, "images", "--quiet", "--no-trunc", name)
	if _, err := e.Feed(ctx, write, args...); err != nil {
		return err
	}
	if before != "" {
		_, _ = e.Run(ctx, "rmi", before) // refused if a container uses it; never the new one, whose date makes it another
	}
	return nil
}

// Has says whether there is an image of the name that carries the label.
func (e *Engine) Has(ctx context.Context, name, label, value string) bool {
	got, err := e.Run(ctx, "image", "inspect", "--format", fmt.Sprintf("{{index .Config.Labels %q}}", label), name)
	return err == nil && got == value
}

// Remove removes a container and its volumes, whatever it is doing.
func (e *Engine) Remove(id string) {
	_, _ = e.Run(context.Background(), "rm", "--force", "--volumes", id)
}

// Import makes an image of a tar.
func (e *Engine) Import(ctx context.Context, file, name string) error {
	return e.replace(ctx, name, nil, "import", file, name)
}

// ImportBinary makes an image of one static binary.
func (e *Engine) ImportBinary(ctx context.Context, binary, name string) error {
	write := func(w *tar.Writer) error { return AddFile(w, "program", binary, 0o755) }
	return e.replace(ctx, name, asTar(write), "import", "--change", `ENTRYPOINT ["/program"]`, "-", name)
}

func asTar(write func(*tar.Writer) error) func(io.Writer) error {
	return func(w io.Writer) error {
		out := tar.NewWriter(w)
		if err := write(out); err != nil {
			return err
		}
		return out.Close()
	}
}

// AddFile adds a file of this machine under another name.
func AddFile(w *tar.Writer, name, path string, mode int64) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header := tar.Header{Name: name, Mode: mode, Size: info.Size(), ModTime: info.ModTime()}
	if err := w.WriteHeader(&header); err != nil {
		return err
	}
	_, err = io.Copy(w, file)
	return err
}
