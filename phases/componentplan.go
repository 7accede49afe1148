package phases

import (
	"cmp"
	"slices"

	"tripod.dev/tripod/internal/config"
)

// ComponentPlan is what becomes of one component, in the words of kubeadm (cmd/kubeadm/app/apis/output).
type ComponentPlan struct {
	Name string `json:"name"`
	// CurrentVersion is "" where it is not known.
	CurrentVersion string `json:"currentVersion"`
	NewVersion     string `json:"newVersion"`
	// NodeName is "" for what does not belong to one machine.
	NodeName string `json:"nodeName,omitempty"`
	// Manual is what no upgrade of a control plane changes: kubelets.
	Manual bool `json:"manual,omitempty"`
}

// ComponentPlans are all components of the cluster with their versions now and then, by name and node.
func (m Master) ComponentPlans() []ComponentPlan {
	var all []ComponentPlan
	add := func(name, node string, now config.Version, target string, manual bool) {
		all = append(all, ComponentPlan{Name: name, NodeName: node, CurrentVersion: now.Tag(), NewVersion: target, Manual: manual})
	}
	for node, v := range m.Living.Fleet.Kubelets {
		add("kubelet", node, v, m.Version.Tag(), true)
	}
	for node, components := range m.Living.Fleet.Components {
		for name, v := range components {
			add(name, node, v, m.Version.Tag(), false)
		}
	}
	for _, p := range m.etcdCluster().Members {
		all = append(all, ComponentPlan{Name: "etcd", NodeName: p.Name, CurrentVersion: p.Version, NewVersion: m.EtcdVersion.String()})
	}
	slices.SortFunc(all, func(a, b ComponentPlan) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.NodeName, b.NodeName))
	})
	return all
}
