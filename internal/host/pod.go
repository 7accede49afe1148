package host

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// What the kubelet writes on sandboxes and containers (pkg/kubelet/kuberuntime/labels.go).
// A sandbox carries all annotations of its pod, our revision among them.
const (
	podNamespaceLabel      = "io.kubernetes.pod.namespace"
	podNameLabel           = "io.kubernetes.pod.name"
	containerNameLabel     = "io.kubernetes.container.name"
	restartCountAnnotation = "io.kubernetes.container.restartCount"
	revisionAnnotation     = "tripod.dev/revision"
)

// restartsAtOnce is how long after its end a container's next one can still be on its way:
// the kubelet notices an end within a second and starts the next at once unless it backs off.
const restartsAtOnce = 2 * time.Second

// Pod asks the runtime for the newest container of the newest sandbox of the component's
// static pod. While there is none it says, as an error, what is known to be in the way:
// a kubelet or a runtime that does not answer, an image that is not there.
func (k *Kubelet) Pod(ctx context.Context, component string) (Running, error) {
	ctx, cancel := context.WithTimeout(ctx, criTimeout)
	defer cancel()
	sandbox, err := k.sandbox(ctx, component)
	if err != nil {
		return Running{}, err
	}
	if sandbox == nil {
		return Running{}, k.whyNone(ctx, component)
	}
	containers, err := k.containers(ctx, sandbox.GetId(), component)
	if err != nil {
		return Running{}, err
	}
	if len(containers) == 0 {
		return Running{Revision: sandbox.GetAnnotations()[revisionAnnotation]}, k.whyNone(ctx, component)
	}
	return k.running(ctx, sandbox, containers)
}

// sandbox is the newest of the component's pod, nil if there is none.
func (k *Kubelet) sandbox(ctx context.Context, component string) (*runtimeapi.PodSandbox, error) {
	all, err := k.sandboxes(ctx, component)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return slices.MaxFunc(all, func(a, b *runtimeapi.PodSandbox) int {
		return cmp.Compare(a.GetCreatedAt(), b.GetCreatedAt())
	}), nil
}

// containers are the component's in a sandbox, the newest first; "" means all.
func (k *Kubelet) containers(ctx context.Context, sandbox, component string) ([]*runtimeapi.Container, error) {
	filter := &runtimeapi.ContainerFilter{PodSandboxId: sandbox}
	if component != "" {
		filter.LabelSelector = map[string]string{containerNameLabel: component}
	}
	reply, err := k.cri.ListContainers(ctx, &runtimeapi.ListContainersRequest{Filter: filter})
	if err != nil {
		return nil, k.criError(err)
	}
	containers := reply.GetContainers()
	slices.SortFunc(containers, func(a, b *runtimeapi.Container) int {
		return cmp.Compare(b.GetCreatedAt(), a.GetCreatedAt())
	})
	return containers, nil
}

func (k *Kubelet) running(ctx context.Context, sandbox *runtimeapi.PodSandbox, containers []*runtimeapi.Container) (Running, error) {
	newest, info, err := k.container(ctx, containers[0].GetId())
	if err != nil {
		return Running{}, err
	}
	r := describe(newest, sandbox.GetState() == runtimeapi.PodSandboxState_SANDBOX_READY, time.Now())
	r.Revision = sandbox.GetAnnotations()[revisionAnnotation]
	if r.State == Started {
		r.PID = pid(info)
	}
	r.Exit, err = k.lastExit(ctx, newest, containers[1:])
	return r, err
}

// container is one container's status, and what the runtime says of it beyond the CRI.
func (k *Kubelet) container(ctx context.Context, id string) (*runtimeapi.ContainerStatus, map[string]string, error) {
	reply, err := k.cri.ContainerStatus(ctx, &runtimeapi.ContainerStatusRequest{ContainerId: id, Verbose: true})
	if err != nil {
		return nil, nil, k.criError(err)
	}
	return reply.GetStatus(), reply.GetInfo(), nil
}

// describe is what a container's status says of its state.
func describe(c *runtimeapi.ContainerStatus, sandboxReady bool, now time.Time) Running {
	r := Running{State: Created}
	r.Restarts, _ = strconv.Atoi(c.GetAnnotations()[restartCountAnnotation])
	if c.GetStartedAt() > 0 {
		r.StartedAt = time.Unix(0, c.GetStartedAt())
	}
	switch c.GetState() {
	case runtimeapi.ContainerState_CONTAINER_RUNNING:
		r.State = Started
	case runtimeapi.ContainerState_CONTAINER_EXITED:
		r.State = Exited
		if sandboxReady && now.Sub(time.Unix(0, c.GetFinishedAt())) > restartsAtOnce {
			r.State = Waiting
		}
	}
	return r
}

// lastExit is the end of the newest container if it has ended, or of the one before it.
func (k *Kubelet) lastExit(ctx context.Context, newest *runtimeapi.ContainerStatus, older []*runtimeapi.Container) (*Exit, error) {
	if newest.GetState() == runtimeapi.ContainerState_CONTAINER_EXITED {
		return k.exit(newest), nil
	}
	for _, c := range older {
		if c.GetState() != runtimeapi.ContainerState_CONTAINER_EXITED {
			continue
		}
		before, _, err := k.container(ctx, c.GetId())
		if err != nil {
			return nil, err
		}
		return k.exit(before), nil
	}
	return nil, nil
}

func (k *Kubelet) exit(c *runtimeapi.ContainerStatus) *Exit {
	e := &Exit{
		Code:        int(c.GetExitCode()),
		At:          time.Unix(0, c.GetFinishedAt()),
		Reason:      c.GetReason(),
		Log:         k.host.tailCRILog(c.GetLogPath()),
		ContainerID: c.GetId(),
	}
	// A container that could not even be started has written nothing; the runtime says why.
	if len(e.Log) == 0 && c.GetMessage() != "" {
		e.Log = []string{c.GetMessage()}
	}
	return e
}

// pid is the process in the verbose part of a status, which containerd and CRI-O write alike.
func pid(info map[string]string) int {
	var v struct {
		PID int `json:"pid"`
	}
	if json.Unmarshal([]byte(info["info"]), &v) != nil {
		return 0
	}
	return v.PID
}

// whyNone is why a component has no container, nil if nothing is known to be wrong.
func (k *Kubelet) whyNone(ctx context.Context, component string) error {
	if err := k.Alive(ctx); err != nil {
		return fmt.Errorf("no container yet; %w", err)
	}
	image := k.o.Images[component]
	if image == "" {
		return nil
	}
	has, err := k.HasImage(ctx, image)
	switch {
	case err == nil && !has && k.unpulled[component]:
		err = fmt.Errorf("%w: %s", ErrNoImage, image)
	case err == nil && !has:
		err = errors.New("its image " + image + " is not on this machine")
	}
	if err != nil {
		return fmt.Errorf("no container yet; %w", err)
	}
	return nil
}
