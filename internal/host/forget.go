package host

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const (
	// stopSeconds is how long a container has to end before it is killed, as a static pod's by default.
	stopSeconds = 30
	// endWithin is how long the end of a pod may take: its grace, and as long again for what stands in the way.
	endWithin = 2 * stopSeconds * time.Second
	// kubeletWithin is how long a kubelet that is starting may take until it listens.
	kubeletWithin = 10 * time.Second
	// againAfter is the pause between attempts at either.
	againAfter = 100 * time.Millisecond
)

// Forget makes the kubelet let go of the components' static pods, whose manifests have been
// taken away, and returns when the pods have ended, in that order.
//
// It is for a kubelet that has not reached an apiserver since it started: such a one ends no
// pod, whether its manifest is removed or replaced (pkg/kubelet/kubelet.go, deletePod:
// "sources aren't ready yet"), so that on a first master an etcd that was started wrongly
// would stay for ever. Started anew, the kubelet knows nothing of the pods, and the runtime ends them.
func (k *Kubelet) Forget(ctx context.Context, components ...string) error {
	for _, component := range components {
		sandboxes, err := k.sandboxes(ctx, component)
		if err != nil {
			return err
		}
		if len(sandboxes) > 0 {
			return k.ForgetBegun(ctx, components...)
		}
	}
	return nil
}

// ForgetBegun is Forget where the kubelet may have begun with a pod that the runtime does not know yet: it has seen the
// manifest, and would meet the next one of that name while it is at work on the first.
func (k *Kubelet) ForgetBegun(ctx context.Context, components ...string) error {
	if err := k.restart(ctx); err != nil {
		return fmt.Errorf("start the kubelet anew: %w", err)
	}
	for _, component := range components {
		sandboxes, err := k.sandboxes(ctx, component)
		if err != nil {
			return err
		}
		for _, s := range sandboxes {
			if err := k.end(ctx, s.GetId(), component); err != nil {
				return fmt.Errorf("end the earlier pod of %s: %w", component, err)
			}
		}
	}
	return nil
}

// Stop ends the component's containers, which have so long to end by themselves. A kubelet that still has their pod
// starts them again: its manifest has to be taken away before.
func (k *Kubelet) Stop(ctx context.Context, component string, grace time.Duration) error {
	sandboxes, err := k.sandboxes(ctx, component)
	if err != nil {
		return err
	}
	for _, s := range sandboxes {
		if err := k.stopContainers(ctx, s.GetId(), component, int64(grace.Seconds())); err != nil {
			return fmt.Errorf("stop %s: %w", component, err)
		}
	}
	return nil
}

// Restart starts the kubelet anew, whether it runs or not.
func (k *Kubelet) Restart(ctx context.Context) error {
	if !k.host.systemd() && k.Alive(ctx) != nil {
		return nil // who keeps it starts it again and again
	}
	return k.restart(ctx)
}

// restart restarts the service, or where somebody else keeps the kubelet ends its process, so that they start it.
func (k *Kubelet) restart(ctx context.Context) error {
	if k.host.systemd() {
		_, err := systemctl(ctx, "restart", "kubelet")
		return err
	}
	c, err := k.host.KubeletConfig(k.o.Dir)
	if err != nil {
		return err
	}
	at := c.API
	if c.Healthz.IsValid() {
		at = c.Healthz
	}
	return again(ctx, kubeletWithin, func() error { return k.terminate(at) })
}

// terminate ends the kubelet that is reached there. One that is just starting does not listen yet, and may know the pod.
func (k *Kubelet) terminate(at netip.AddrPort) error {
	for _, l := range k.host.Holders(at) {
		if l.Process == "kubelet" {
			return k.host.signal(l.PID, l.Process, syscall.SIGTERM)
		}
	}
	return fmt.Errorf("no kubelet listens on %s", at)
}

// end ends a pod. A container that the old kubelet was just starting can not be removed before it has started: that
// is tried again.
func (k *Kubelet) end(ctx context.Context, sandbox, component string) error {
	return again(ctx, endWithin, func() error { return k.endNow(ctx, sandbox, component, stopSeconds) })
}

// again attempts something until it succeeds, for as long as it may take; the error is the last one.
func again(ctx context.Context, within time.Duration, attempt func() error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		err := attempt()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(againAfter):
		}
	}
}

// endNow stops the component's containers in a sandbox, gently, and removes it.
func (k *Kubelet) endNow(ctx context.Context, sandbox, component string, grace int64) error {
	if err := k.stopContainers(ctx, sandbox, component, grace); err != nil {
		return err
	}
	if _, err := k.cri.StopPodSandbox(ctx, &runtimeapi.StopPodSandboxRequest{PodSandboxId: sandbox}); err != nil {
		return k.criError(err)
	}
	if _, err := k.cri.RemovePodSandbox(ctx, &runtimeapi.RemovePodSandboxRequest{PodSandboxId: sandbox}); err != nil {
		return k.criError(err)
	}
	return nil
}

// stopContainers stops the component's containers in a sandbox, gently.
func (k *Kubelet) stopContainers(ctx context.Context, sandbox, component string, grace int64) error {
	containers, err := k.containers(ctx, sandbox, component)
	if err != nil {
		return err
	}
	for _, c := range containers {
		if c.GetState() != runtimeapi.ContainerState_CONTAINER_RUNNING {
			continue
		}
		if _, err := k.cri.StopContainer(ctx, &runtimeapi.StopContainerRequest{ContainerId: c.GetId(), Timeout: grace}); err != nil {
			return k.criError(err)
		}
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
