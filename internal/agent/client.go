package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"tripod.dev/tripod/internal/host"
)

// Client talks to an agent. It is the host.Runner of a sandbox.
type Client struct {
	// Socket is the agent's.
	Socket string
}

var _ host.Runner = Client{}

// Refused says that the agent does not run a manifest, and why. Waiting does not help.
type Refused struct {
	File     string
	Problems []Problem
}

// Error names every problem.
func (r *Refused) Error() string {
	problems := make([]string, len(r.Problems))
	for i, p := range r.Problems {
		problems[i] = p.String()
	}
	return fmt.Sprintf("the agent does not run %s: %s", r.File, strings.Join(problems, "; "))
}

// Is says that the runner refuses the manifest.
func (r *Refused) Is(target error) bool { return target == host.ErrRefused }

// Start makes the agent list its manifests now. Starting the agent itself is StartDaemon's.
func (c Client) Start(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/nudge", nil)
}

// Alive is nil if the agent answers.
func (c Client) Alive(ctx context.Context) error {
	_, err := c.State(ctx)
	return err
}

// State is all that the agent tells.
func (c Client) State(ctx context.Context) (State, error) {
	var state State
	return state, c.call(ctx, http.MethodGet, "/state", &state)
}

// Pod is what runs for the pod called component. If its manifest is not run as it is, the error is a *Refused and
// Running what still runs.
func (c Client) Pod(ctx context.Context, component string) (host.Running, error) {
	state, err := c.State(ctx)
	if err != nil {
		return host.Running{}, err
	}
	return state.running(component)
}

func (s State) running(component string) (host.Running, error) {
	var running host.Running
	i := slices.IndexFunc(s.Pods, func(p PodState) bool { return p.Name == component })
	if i >= 0 && s.Pods[i].Container != nil {
		running = s.Pods[i].Container.running()
	}
	for _, file := range s.Files {
		name, _, _ := strings.Cut(file.File, ".")
		_, pod := splitKey(file.Pod)
		if len(file.Problems) > 0 && (name == component || pod == component) {
			return running, &Refused{File: file.File, Problems: file.Problems}
		}
	}
	if s.Problem != "" {
		return running, fmt.Errorf("the agent can not read its manifests: %s", s.Problem)
	}
	return running, nil
}

func (c *ContainerState) running() host.Running {
	running := host.Running{Revision: c.Revision, State: c.State, PID: c.PID, StartedAt: c.StartedAt, Restarts: c.Restarts}
	if end := c.LastExit; end != nil {
		running.Exit = &host.Exit{Code: end.Code, At: end.At, Reason: end.Reason, Log: end.Log}
		if end.Message != "" {
			running.Exit.Reason += ": " + end.Message
		}
	}
	return running
}

// shutdown makes the agent end all pods and itself; it returns before that has happened.
func (c Client) shutdown(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/shutdown", nil)
}

// call does one request; the answer is decoded into out unless that is nil. The error is a *Hung if none comes in time.
func (c Client) call(ctx context.Context, method, path string, out any) error {
	return c.limited(ctx, func(ctx context.Context) error { return c.ask(ctx, method, path, out) })
}

func (c Client) ask(ctx context.Context, method, path string, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, nil)
	if err != nil {
		return err
	}
	response, err := c.http().Do(request)
	if err != nil {
		return fmt.Errorf("ask the agent at %s: %w\nhint: is the agent running? start it with: tripod agent", c.Socket, err)
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return fmt.Errorf("ask the agent: %s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return fmt.Errorf("read the agent's answer: %w", err)
	}
	return nil
}

func (c Client) http() *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) }
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}
