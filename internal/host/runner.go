package host

import (
	"context"
	"errors"
	"time"
)

// ErrRefused is a manifest that its runner does not run.
var ErrRefused = errors.New("manifest refused")

// ErrNoImage is a container whose image is not there, and that nobody pulls.
var ErrNoImage = errors.New("its image is not on this machine, and is not to be pulled")

// ErrHangs is a runner that is there and does not answer: what runs is not known.
var ErrHangs = errors.New("who runs the pods does not answer")

// Runner is who runs the static pods of a manifest directory: the Kubelet, or the embedded agent.
type Runner interface {
	// Start starts the runner; it returns at once when the runner is already at work.
	Start(ctx context.Context) error
	// Pod is what runs now for the static pod named component ("etcd"). The zero Running
	// without an error means that nothing of it has been seen yet and nothing is known to be wrong.
	// An error that is ErrRefused will stay as long as the manifest does.
	Pod(ctx context.Context, component string) (Running, error)
	// Alive is nil if the runner answers (the kubelet's healthz, the agent's socket).
	Alive(ctx context.Context) error
}

// State is that of a container, "" where there is none yet.
type State string

// The states of a container.
const (
	Created State = "created"
	Started State = "running"
	Exited  State = "exited"
	// Waiting is a container that has ended and whose next start is held back.
	Waiting State = "waiting"
)

// Running is the newest container of a component.
type Running struct {
	// Revision is the tripod.dev/revision of the pod that runs, "" if it has none.
	Revision string
	State    State
	// PID is the process on the host, 0 if unknown or ended.
	PID int
	// StartedAt is the start of the newest container, zero if it never started.
	StartedAt time.Time
	// Restarts counts the containers before the newest.
	Restarts int
	// Exit is how the last container that ended ended, nil if none did.
	Exit *Exit
}

// Exit is the end of a container.
type Exit struct {
	Code int
	At   time.Time
	// Reason is the runner's word for it: Error, OOMKilled, Completed, StartError.
	Reason string
	// Log is the last lines that it wrote, at most 20.
	Log         []string
	ContainerID string
}
