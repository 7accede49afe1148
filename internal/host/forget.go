package host

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// stopSeconds is how long a container has to end before it is killed, as a static pod's by default.
const stopSeconds = 30

// Forget makes the kubelet let go of the component's static pod, whose manifest has been
// taken away, and returns when the pod has ended.
//
// It is for a kubelet that has not reached an apiserver since it started: such a one ends no
// pod, whether its manifest is removed or replaced (pkg/kubelet/kubelet.go, deletePod:
// "sources aren't ready yet"), so that on a first master an etcd that was started wrongly
// would stay for ever. Started anew, the kubelet knows nothing of the pod, and the runtime ends it.
func (k *Kubelet) Forget(ctx context.Context, component string) error {
	sandboxes, err := k.sandboxes(ctx, component)
	if err != nil || len(sandboxes) == 0 {
		return err
	}
	if err := k.restart(ctx); err != nil {
		return fmt.Errorf("start the kubelet anew: %w", err)
	}
	for _, s := range sandboxes {
		if err := k.end(ctx, s.GetId(), component); err != nil {
			return fmt.Errorf("end the earlier pod of %s: %w", component, err)
		}
	}
	return nil
}

// restart restarts the service, or where somebody else keeps the kubelet ends its process, so that they start it.
func (k *Kubelet) restart(ctx context.Context) error {
	if k.host.systemd() {
		_, err := systemctl(ctx, "restart", "kubelet")
		return err
	}
	healthz, err := netip.ParseAddrPort(k.o.Healthz)
	if err != nil {
		return err
	}
	listeners, err := k.host.listeners([]uint16{healthz.Port()})
	if err != nil {
		return err
	}
	for _, l := range listeners[healthz.Port()] {
		if l.Process == "kubelet" && l.Addr == healthz {
			return syscall.Kill(l.PID, syscall.SIGTERM)
		}
	}
	return errors.New("no kubelet listens on " + k.o.Healthz)
}

// end stops the component's containers in a sandbox, gently, and removes it.
func (k *Kubelet) end(ctx context.Context, sandbox, component string) error {
	containers, err := k.containers(ctx, sandbox, component)
	if err != nil {
		return err
	}
	for _, c := range containers {
		if c.GetState() != runtimeapi.ContainerState_CONTAINER_RUNNING {
			continue
		}
		if _, err := k.cri.StopContainer(ctx, &runtimeapi.StopContainerRequest{ContainerId: c.GetId(), Timeout: stopSeconds}); err != nil {
			return k.criError(err)
		}
	}
	if _, err := k.cri.StopPodSandbox(ctx, &runtimeapi.StopPodSandboxRequest{PodSandboxId: sandbox}); err != nil {
		return k.criError(err)
	}
	if _, err := k.cri.RemovePodSandbox(ctx, &runtimeapi.RemovePodSandboxRequest{PodSandboxId: sandbox}); err != nil {
		return k.criError(err)
	}
	return nil
}

// sandboxes are those of the component's pod, old and new.
func (k *Kubelet) sandboxes(ctx context.Context, component string) ([]*runtimeapi.PodSandbox, error) {
	reply, err := k.cri.ListPodSandbox(ctx, &runtimeapi.ListPodSandboxRequest{
		Filter: &runtimeapi.PodSandboxFilter{LabelSelector: map[string]string{
			podNamespaceLabel: "kube-system",
			podNameLabel:      component + "-" + strings.ToLower(k.o.Node),
		}},
	})
	if err != nil {
		return nil, k.criError(err)
	}
	return reply.GetItems(), nil
}
