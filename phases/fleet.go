package phases

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/manifests"
)

// Fleet is what runs in the cluster, as its API tells it. What is not known is missing.
type Fleet struct {
	// Components are the versions of Kubernetes' own components on the masters, by node and component.
	Components map[string]map[string]config.Version
	// Kubelets are their versions by node.
	Kubelets map[string]config.Version
	// Unready says of masters' nodes that are not Ready why.
	Unready map[string]string
	// Unknown is why the cluster could not be asked; nil if it could.
	Unknown error
}

// readFleet reads nodes and the masters' pods. An object that can not be read as what it is, is none.
func readFleet(nodes, pods []unstructured.Unstructured) Fleet {
	f := Fleet{Components: map[string]map[string]config.Version{}, Kubelets: map[string]config.Version{}, Unready: map[string]string{}}
	for i := range nodes {
		if node, err := cluster.As[corev1.Node](&nodes[i]); err == nil {
			f.node(node)
		}
	}
	for i := range pods {
		if pod, err := cluster.As[corev1.Pod](&pods[i]); err == nil {
			f.pod(pod)
		}
	}
	return f
}

func (f Fleet) node(n corev1.Node) {
	if v, err := config.ParseVersion(n.Status.NodeInfo.KubeletVersion); err == nil {
		f.Kubelets[n.Name] = v
	}
	if _, master := n.Labels["node-role.kubernetes.io/control-plane"]; !master {
		return
	}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
			f.Unready[n.Name] = c.Message
		}
	}
}

func (f Fleet) pod(p corev1.Pod) {
	for _, c := range p.Spec.Containers {
		v, ok := imageVersion(c.Image)
		if !ok || c.Name == "etcd" {
			continue
		}
		if f.Components[p.Spec.NodeName] == nil {
			f.Components[p.Spec.NodeName] = map[string]config.Version{}
		}
		f.Components[p.Spec.NodeName][c.Name] = v
	}
}

// reached says whether the apiservers of all other masters have at least that version.
func (f Fleet) reached(v config.Version, but string) bool {
	for node, components := range f.Components {
		if apiserver, known := components["kube-apiserver"]; known && node != but && apiserver.Compare(v) < 0 {
			return false
		}
	}
	return f.Unknown == nil
}

// atMost says whether the apiservers of all other masters are known, and none is newer.
func (f Fleet) atMost(v config.Version, but string) bool {
	for node, components := range f.Components {
		if apiserver, known := components["kube-apiserver"]; known && node != but && apiserver.Compare(v) > 0 {
			return false
		}
	}
	return f.Unknown == nil && len(f.Components) > 0
}

// VersionOf is the version in the image of a manifest's component, v1.36.3; "" if it names none.
func VersionOf(manifest []byte, component string) string {
	if v, ok := imageVersion(manifests.Images(manifest)[component]); ok {
		return v.Tag()
	}
	return ""
}
