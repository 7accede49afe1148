package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Sandbox is a sandbox of tripod's with a state folder that nobody else has.
type Sandbox struct {
	Name string

	lab   Lab
	state scratch
}

// NewSandbox prepares a sandbox; nothing runs yet. The caller closes it.
func (l Lab) NewSandbox(name string) (*Sandbox, error) {
	state, err := l.newScratch("box") // a short name: the path of a socket in there has at most 107 bytes
	return &Sandbox{Name: name, lab: l, state: state}, err
}

// Command prepares a tripod sandbox command: "up", "status", ...
func (s *Sandbox) Command(ctx context.Context, verb string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.lab.Tripod(), append([]string{"sandbox", verb, "--name", s.Name}, args...)...)
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+s.state.path)
	cmd.WaitDelay = waitDelay
	return cmd
}

// Run runs a tripod sandbox command and returns what it printed.
func (s *Sandbox) Run(ctx context.Context, verb string, args ...string) (string, error) {
	out, err := s.Command(ctx, verb, args...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("tripod sandbox %s %s: %w\n%s", verb, strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// Kubectl runs kubectl with the sandbox's administrator kubeconfig and returns what it printed.
func (s *Sandbox) Kubectl(ctx context.Context, args ...string) (string, error) {
	kubeconfig := filepath.Join(s.state.path, "kubeconfig")
	if _, err := os.Stat(kubeconfig); err != nil {
		out, err := s.Command(ctx, "kubeconfig").Output()
		if err != nil {
			return "", fmt.Errorf("tripod sandbox kubeconfig: %w", err)
		}
		if err := os.WriteFile(kubeconfig, out, 0o600); err != nil {
			return "", err
		}
	}
	out, err := exec.CommandContext(ctx, s.lab.Component(Default, "kubectl"), append([]string{"--kubeconfig", kubeconfig}, args...)...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// Close stops what runs in the sandbox and removes all that it had.
func (s *Sandbox) Close() error {
	_, err := s.Run(context.Background(), "down")
	return errors.Join(err, s.state.remove())
}

// State is the state folder, which nothing else uses.
func (s *Sandbox) State() string { return s.state.path }

// Folder is the sandbox's own folder in there.
func (s *Sandbox) Folder() string { return filepath.Join(s.state.path, "tripod", "sandboxes", s.Name) }
