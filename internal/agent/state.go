package agent

import (
	"maps"
	"slices"
	"sync"
	"time"

	"tripod.dev/tripod/internal/host"
)

// State is all that an agent tells about itself and its pods.
type State struct {
	PID       int       `json:"pid"`
	StartedAt time.Time `json:"startedAt"`
	Manifests string    `json:"manifests"`
	BinDir    string    `json:"binDir"`
	Dir       string    `json:"dir"`
	// Pods are those that are wanted, and those that still run, by namespace and name.
	Pods []PodState `json:"pods"`
	// Files are those of the manifest directory, by name.
	Files []FileState `json:"files"`
	// Problem is why the manifest directory could not be read.
	Problem string `json:"problem,omitempty"`
}

// FileState is what became of a file of the manifest directory.
type FileState struct {
	File string `json:"file"`
	// Pod is the namespace/name that it holds, or held when it last could be run.
	Pod string `json:"pod,omitempty"`
	// Problems are why the file is not run as it is now; the pod of its last good content goes on until the next relist.
	Problems []Problem `json:"problems,omitempty"`
	// Shadowed names the file that names the same pod and wins.
	Shadowed string `json:"shadowed,omitempty"`
}

// PodState is a static pod.
type PodState struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// File and Revision are those that are wanted; "" if the pod is ending for good.
	File     string `json:"file,omitempty"`
	Revision string `json:"revision,omitempty"`
	// Container is what runs, nil if nothing has been tried yet.
	Container *ContainerState `json:"container,omitempty"`
}

// ContainerState is the newest container of a pod.
type ContainerState struct {
	Name string `json:"name"`
	// Revision is that of the manifest that the process was started from.
	Revision string     `json:"revision,omitempty"`
	State    host.State `json:"state"`
	// Reason is why it waits, or what is being done to it.
	Reason    string     `json:"reason,omitempty"`
	NextStart *time.Time `json:"nextStart,omitempty"`
	// PID is 0 if it does not run.
	PID       int       `json:"pid,omitempty"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	Restarts  int       `json:"restarts"`
	// Adopted is true for a process that an earlier agent started.
	Adopted bool `json:"adopted,omitempty"`
	// Started is true once the startup probe has passed, Ready while the readiness probe passes.
	Started bool `json:"started"`
	Ready   bool `json:"ready"`
	// Probes are the last errors, by kind of probe.
	Probes map[string]string `json:"probes,omitempty"`
	// Log is the path of the newest log.
	Log      string     `json:"log,omitempty"`
	LastExit *ExitState `json:"lastExit,omitempty"`
}

// ExitState is the end of a container.
type ExitState struct {
	// Code is 128 and the number for a signal, -1 if unknown.
	Code   int    `json:"code"`
	Signal string `json:"signal,omitempty"`
	// Reason is Completed, Error, StartError or Unknown.
	Reason  string    `json:"reason"`
	Message string    `json:"message,omitempty"`
	At      time.Time `json:"at"`
	// Log is the last lines that it wrote, at most 20.
	Log []string `json:"log,omitempty"`
}

func (e ExitState) withLog(path string) ExitState {
	e.Log = tail(path)
	return e
}

// clone is a copy that shares nothing that its owner changes later.
func (c ContainerState) clone() *ContainerState {
	c.Probes = maps.Clone(c.Probes)
	return &c
}

// board is where the agent and its lives write what they know for whoever asks.
type board struct {
	mu         sync.Mutex
	agent      State
	wanted     map[string]PodState
	containers map[string]*ContainerState
}

func newBoard(agent State) *board {
	return &board{agent: agent, wanted: map[string]PodState{}, containers: map[string]*ContainerState{}}
}

// want notes what is in the manifest directory.
func (b *board) want(l listing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.agent.Files, b.agent.Problem = l.files, ""
	clear(b.wanted)
	for key, p := range l.pods {
		b.wanted[key] = PodState{Namespace: p.Namespace, Name: p.Name, File: p.File, Revision: p.Revision}
	}
}

// problem notes why the directory is not known; what was wanted stays wanted.
func (b *board) problem(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.agent.Problem = why
}

// runs notes the state of a pod's container; nil if it is gone for good.
func (b *board) runs(p pod, c *ContainerState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c == nil {
		delete(b.containers, p.key())
		return
	}
	b.containers[p.key()] = c
}

// state is a copy of all.
func (b *board) state() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	state := b.agent
	pods := maps.Clone(b.wanted)
	for key, container := range b.containers {
		p, ok := pods[key]
		if !ok {
			p.Namespace, p.Name = splitKey(key)
		}
		p.Container = container
		pods[key] = p
	}
	for _, key := range slices.Sorted(maps.Keys(pods)) {
		state.Pods = append(state.Pods, pods[key])
	}
	return state
}
