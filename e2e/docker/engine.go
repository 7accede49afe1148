// Package docker finds a docker engine that can run privileged containers, or makes one.
//
// An engine that answers is used as it is. Where none does, root starts a dockerd of its own, whose folders, socket and
// process identity all lie in one folder, and whose runtime asks for no capability that the machine lacks (capless).
// That engine is kept until it is stopped: later programs find it by its socket.
package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// Engine is a docker engine that runs privileged containers.
type Engine struct {
	Host string // as in DOCKER_HOST; "" is what the docker command takes by itself
	Own  bool   // it was started by Open, now or earlier
	dir  string // where an own one has everything
}

// Open returns an engine: the one that answers, or an own one that is started if need be. The binaries of the lab's
// helpers must have been built.
func Open(ctx context.Context, l lab.Lab) (*Engine, error) {
	if _, err := exec.LookPath("docker"); err != nil {
		return nil, fmt.Errorf("%w\nhint: install docker (on Debian: apt-get install docker.io)", err)
	}
	if err := lab.RaiseWatchers(); err != nil {
		return nil, err
	}
	probe := filepath.Join(l.Root, "bin", "e2e", "pause")
	theirs := &Engine{Host: os.Getenv("DOCKER_HOST")}
	reason := theirs.usable(ctx, probe)
	if reason == nil {
		return theirs, nil
	}
	own := ownEngine(l)
	if own.answers(ctx) == nil {
		return own, nil
	}
	if err := own.start(ctx, filepath.Join(l.Root, "bin", "e2e", "capless")); err != nil {
		return nil, fmt.Errorf("no docker engine: %w; and starting one: %w", reason, err)
	}
	if err := own.usable(ctx, probe); err != nil {
		return nil, errors.Join(err, own.Stop())
	}
	return own, nil
}

// Kept returns the engine that an earlier Open started and nobody stopped, or nil.
func Kept(ctx context.Context, l lab.Lab) *Engine {
	if own := ownEngine(l); own.answers(ctx) == nil {
		return own
	}
	return nil
}

func ownEngine(l lab.Lab) *Engine {
	dir := filepath.Join(l.Root, "bin", "e2e", "docker")
	return &Engine{Host: "unix://" + filepath.Join(dir, "docker.sock"), Own: true, dir: dir}
}

// Environ is the environment of a program that uses the engine: kind, or docker itself.
func (e *Engine) Environ() []string {
	if e.Host == "" {
		return os.Environ()
	}
	return append(os.Environ(), "DOCKER_HOST="+e.Host)
}

// Command prepares a docker command.
func (e *Engine) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Env = e.Environ()
	return cmd
}

// Run runs a docker command and returns what it printed, without the line's end.
func (e *Engine) Run(ctx context.Context, args ...string) (string, error) {
	return e.Feed(ctx, nil, args...)
}

// Feed runs a docker command that reads what write writes; nil: nothing.
func (e *Engine) Feed(ctx context.Context, write func(io.Writer) error, args ...string) (string, error) {
	cmd := e.Command(ctx, args...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if write != nil {
		reader, writer := io.Pipe()
		cmd.Stdin = reader
		go func() { writer.CloseWithError(write(writer)) }()
		defer reader.Close()
	}
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, strings.TrimSpace(complaint.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// answers is nil if there is an engine.
func (e *Engine) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := e.Run(ctx, "version", "--format", "{{.Server.Version}}")
	return err
}

// usable is nil if the engine runs privileged containers. It tries: no answer of an engine tells.
func (e *Engine) usable(ctx context.Context, probe string) error {
	if err := e.answers(ctx); err != nil {
		return err
	}
	image := "tripod/probe:latest"
	if err := e.ImportBinary(ctx, probe, image); err != nil {
		return err
	}
	id, err := e.Run(ctx, "create", "--privileged", "--network=none", image)
	if err != nil {
		return err
	}
	defer e.Remove(id)
	_, err = e.Run(ctx, "start", id)
	return err
}
