package phases

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/cluster"
)

// masterLabels are those of a node that is a master.
func masterLabels() []string {
	return []string{corev1.LabelNodeExcludeBalancers, "node-role.kubernetes.io/control-plane"}
}

// markControlPlane wants this node's labels and taints. What else it is labelled and tainted with stays. A sandbox has no node.
func markControlPlane(m Master) ([]Change, error) {
	if m.Rootless {
		return nil, nil
	}
	node := cluster.Node(m.Node.Registration.Name)
	c := Change{Verb: "mark", What: objectKey(node), online: true, do: marking(m, node)}
	live, exists := m.Objects.Get(node).Value() // what is not known is looked at before it is marked
	if exists && !m.mark(live.DeepCopy()) {
		return nil, nil
	}
	for _, label := range masterLabels() {
		c.Diff += fmt.Sprintf("+label %s\n", label)
	}
	for _, t := range m.Node.Registration.Taints {
		c.Diff += fmt.Sprintf("+taint %s=%s:%s\n", t.Key, t.Value, t.Effect)
	}
	return []Change{c}, nil
}

// marking waits until the kubelet has registered the node, and marks it.
func marking(m Master, node *unstructured.Unstructured) func(context.Context, Site) error {
	return func(ctx context.Context, s Site) error {
		ctx, stop := context.WithTimeout(ctx, m.Health)
		defer stop()
		client, err := s.api()
		if err != nil {
			return err
		}
		return cluster.Insist(ctx, s.tell, func(ctx context.Context) error {
			live, err := client.Get(ctx, node)
			switch {
			case apierrors.IsNotFound(err):
				return apierrors.NewServiceUnavailable("the kubelet has not registered this node yet")
			case err != nil:
				return err
			case !m.mark(live):
				return nil
			}
			_, err = client.Update(ctx, live) // a conflict if the kubelet or a controller was faster
			return err
		})
	}
}

// mark gives the node what it lacks, and says whether that was anything.
func (m Master) mark(node *unstructured.Unstructured) (changed bool) {
	labels := node.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	for _, label := range masterLabels() {
		if value, exists := labels[label]; !exists || value != "" {
			labels[label], changed = "", true
		}
	}
	node.SetLabels(labels)
	spec, _ := node.Object["spec"].(map[string]any)
	if spec == nil {
		spec = map[string]any{}
		node.Object["spec"] = spec
	}
	taints, _ := spec["taints"].([]any)
	merged := m.taint(taints)
	if len(merged) != len(taints) || slices.ContainsFunc(merged, func(t any) bool { return !slices.ContainsFunc(taints, sameTaint(t, true)) }) {
		spec["taints"], changed = merged, true
	}
	return changed
}

// taint is taints with those of the configuration in the place of those that have the same key and effect.
func (m Master) taint(taints []any) []any {
	merged := slices.Clone(taints)
	for _, t := range m.Node.Registration.Taints {
		wanted := map[string]any{"key": t.Key, "effect": t.Effect}
		if t.Value != "" {
			wanted["value"] = t.Value
		}
		if slices.ContainsFunc(merged, sameTaint(wanted, true)) {
			continue
		}
		merged = append(slices.DeleteFunc(merged, sameTaint(wanted, false)), wanted)
	}
	return merged
}

// sameTaint compares with a taint: key and effect, of which a node has each pair once, or also the value.
func sameTaint(one any, value bool) func(any) bool {
	a, _ := one.(map[string]any)
	return func(other any) bool {
		b, _ := other.(map[string]any)
		return a["key"] == b["key"] && a["effect"] == b["effect"] && (!value || a["value"] == b["value"])
	}
}
