package phases

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/templates"
)

// changedCluster wants the ClusterConfiguration in the cluster, if it is this master that stores it.
func changedCluster(m Master) ([]*unstructured.Unstructured, error) {
	if !m.Living.Leads {
		return nil, nil
	}
	return kubeadmConfig(m)
}

// changedKubelets wants the KubeletConfiguration in the cluster. One that kubeadm has written as its own defaults stays
// marked as that.
func changedKubelets(m Master) ([]*unstructured.Unstructured, error) {
	if !m.Living.Leads {
		return nil, nil
	}
	return kubeletConfig(m)
}

// changedAccess wants the rules by which nodes join, by which administrators may do everything, and the apiserver ask
// kubelets. Tokens are left alone.
func changedAccess(m Master) ([]*unstructured.Unstructured, error) {
	if !m.Living.Leads {
		return nil, nil
	}
	joins, err := parseObjects(templates.BootstrapToken())
	if err != nil {
		return nil, err
	}
	all, err := access(m)
	return append(joins, all...), err
}

// changedAddon wants the newer pods of an addon, once no master is left of an earlier version. What is not there was left
// out, or removed; its configuration in the cluster is its operator's.
func changedAddon(name string, objects func(Master) ([]*unstructured.Unstructured, error)) func(Master) ([]*unstructured.Unstructured, error) {
	return func(m Master) ([]*unstructured.Unstructured, error) {
		if m.Rootless || m.Living.Back != nil || m.Living.Kept || !m.Living.Fleet.reached(m.Version, m.Node.Registration.Name) {
			return nil, nil
		}
		all, err := objects(m)
		configuration := m.Objects.Get(cluster.ConfigMap("kube-system", name))
		if configuration.Absent() {
			return nil, err
		}
		given := name == "kube-proxy" && m.KubeProxy != nil
		return slices.DeleteFunc(all, func(o *unstructured.Unstructured) bool {
			return o.GetKind() == "ConfigMap" && configuration.Err() == nil && !given
		}), err
	}
}

// changedKubeconfigs wants the administrators' kubeconfigs as they are to be, where there are any.
func changedKubeconfigs(m Master) ([]Change, error) {
	var changes []Change
	for _, name := range []string{adminConf, superAdminConf} {
		if _, there := m.Files[confPath(m.Config, name)]; !there {
			continue
		}
		written, err := kubeconfigFile(name)(m)
		if err != nil {
			return nil, err
		}
		changes = append(changes, written...)
	}
	return changes, nil
}

// changedKubelet wants the kubelet's configuration as the cluster has it, and the kubelet started with it. One that says the
// same in other words stays.
func changedKubelet(m Master) ([]Change, error) {
	if m.Rootless || m.Living.Kept || m.Living.Back != nil {
		return nil, nil
	}
	files, err := kubeletFiles(m)
	if err != nil {
		return nil, err
	}
	configuration := files[len(files)-1]
	if sameDocument(m.Files[configuration.Path], configuration) {
		return nil, nil
	}
	return append(write(m, configuration), startRunner("kubelet", true)...), nil
}

// sameDocument says whether two files hold the same document.
func sameDocument(one, other host.File) bool {
	var a, b map[string]any
	if yaml.Unmarshal(one.Data, &a) != nil || yaml.Unmarshal(other.Data, &b) != nil {
		return false
	}
	return maps.EqualFunc(a, b, func(x, y any) bool { return string(document(x)) == string(document(y)) })
}
