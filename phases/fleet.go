package phases

import (
	"slices"
	"strings"

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
	// Untold says of components of Kubernetes whose version nobody could tell why, by component and node: kube-apiserver on m2.
	Untold map[string]error
	// Unknown is why the cluster could not be asked; nil if it could.
	Unknown error
}

// readFleet reads nodes and the masters' pods, of which version tells what version a component of theirs has. An object that can
// not be read as what it is, is none.
func readFleet(nodes, pods []unstructured.Unstructured, version func(corev1.Pod, string) Known[config.Version]) Fleet {
	f := Fleet{Components: map[string]map[string]config.Version{}, Kubelets: map[string]config.Version{}, Unready: map[string]string{},
		Untold: map[string]error{}}
	for i := range nodes {
		if node, err := cluster.As[corev1.Node](&nodes[i]); err == nil {
			f.node(node)
		}
	}
	for i := range pods {
		if pod, err := cluster.As[corev1.Pod](&pods[i]); err == nil {
			f.pod(pod, version)
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

func (f Fleet) pod(p corev1.Pod, version func(corev1.Pod, string) Known[config.Version]) {
	for _, c := range p.Spec.Containers {
		if c.Name == "etcd" || !slices.Contains(manifests.Components(), c.Name) {
			continue
		}
		of := version(p, c.Name)
		v, known := of.Value()
		if !known {
			f.Untold[c.Name+" on "+p.Spec.NodeName] = of.Err()
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
	return f.Unknown == nil && !f.untold(but)
}

// untold says whether the version of another master's apiserver is not known.
func (f Fleet) untold(but string) bool {
	for who := range f.Untold {
		if node, is := strings.CutPrefix(who, "kube-apiserver on "); is && node != but {
			return true
		}
	}
	return false
}

// atMost says whether the apiservers of all other masters are known, and none is newer.
func (f Fleet) atMost(v config.Version, but string) bool {
	for node, components := range f.Components {
		if apiserver, known := components["kube-apiserver"]; known && node != but && apiserver.Compare(v) > 0 {
			return false
		}
	}
	return f.Unknown == nil && !f.untold(but) && len(f.Components) > 0
}

// VersionOf is the version in the image of a manifest's component, v1.36.3; "" if it names none.
func VersionOf(manifest []byte, component string) string {
	if v, ok := imageVersion(manifests.Images(manifest)[component]); ok {
		return v.Tag()
	}
	return ""
}
