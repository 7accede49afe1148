package host

import (
	"context"
	"fmt"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Sandbox is a pod as the container runtime has it, running or ended.
type Sandbox struct{ ID, Namespace, Name string }

// String is the pod's namespace and name.
func (s Sandbox) String() string { return s.Namespace + "/" + s.Name }

// Sandboxes are all pods that a kubelet has made here. What others have made through the runtime lacks the kubelet's
// labels, and is not among them.
func (k *Kubelet) Sandboxes(ctx context.Context) ([]Sandbox, error) {
	ctx, cancel := context.WithTimeout(ctx, criTimeout)
	defer cancel()
	reply, err := k.cri.ListPodSandbox(ctx, &runtimeapi.ListPodSandboxRequest{})
	if err != nil {
		return nil, k.criError(err)
	}
	var all []Sandbox
	for _, s := range reply.GetItems() {
		if name := s.GetLabels()[podNameLabel]; name != "" {
			all = append(all, Sandbox{ID: s.GetId(), Namespace: s.GetLabels()[podNamespaceLabel], Name: name})
		}
	}
	return all, nil
}

// End ends a pod that no kubelet looks after any more, and removes it. Its containers have that many seconds to end by
// themselves.
func (k *Kubelet) End(ctx context.Context, s Sandbox, grace int64) error {
	err := again(ctx, endWithin, func() error { return k.endNow(ctx, s.ID, "", grace) })
	if err != nil {
		return fmt.Errorf("end pod %s: %w", s, err)
	}
	return nil
}
