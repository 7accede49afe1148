package agent

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
)

// Options say what an agent runs and where it keeps its things.
type Options struct {
	// Manifests is the static pod directory; made if it does not exist.
	Manifests string
	// BinDir holds the programs that stand for images, by the name of the container's command, of pods that name no directory
	// of their own (BinDirAnnotation).
	BinDir string
	// State is the agent's own directory (logs, socket), made with mode 0700; not Manifests.
	State string
	// Socket is where the agent answers; "" is agent.sock in State.
	Socket string
	// StopPodsOnExit ends all pods when the context of Run ends; otherwise they go on, as under the kubelet.
	StopPodsOnExit bool
	// Log is told what happens; nil is nobody.
	Log *slog.Logger
}

// resolved is the options with absolute paths, defaults and directories.
func (o Options) resolved() (Options, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for _, path := range []*string{&o.Manifests, &o.BinDir, &o.State} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return o, err
		}
		*path = absolute
	}
	if err := o.makeDirectories(); err != nil {
		return o, err
	}
	socket, err := o.socket()
	o.Socket = socket
	return o, err
}

// makeDirectories also follows links: the directory's one real name is what marks its processes.
func (o *Options) makeDirectories() error {
	for _, path := range []*string{&o.Manifests, &o.State} {
		if err := os.MkdirAll(*path, 0o700); err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
		real, err := filepath.EvalSymlinks(*path)
		if err != nil {
			return err
		}
		*path = real
	}
	if o.Manifests == o.State {
		return fmt.Errorf("%s is both manifest and state directory\n"+
			"hint: every file of a manifest directory is a manifest; take another --state", o.State)
	}
	return nil
}

func (o Options) socket() (string, error) {
	if o.Socket == "" {
		o.Socket = filepath.Join(o.State, "agent.sock")
	}
	return filepath.Abs(o.Socket)
}
