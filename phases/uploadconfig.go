package phases

import (
	"crypto/sha256"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/templates"
)

// kubeadmConfig wants what all masters share where those who join look for it, and lets them read it.
func kubeadmConfig(m Master) ([]*unstructured.Unstructured, error) {
	data, err := m.ClusterDocument()
	if err != nil {
		return nil, err
	}
	return m.uploaded("kubeadm-config", "ClusterConfiguration", data, templates.KubeadmConfig())
}

// kubeletConfig wants the configuration that all kubelets share. kubeadm takes one with a hash that fits as its own
// defaults, which it may renew when it upgrades, and any other as the user's.
func kubeletConfig(m Master) ([]*unstructured.Unstructured, error) {
	defaults := kubeletDefaults(m)
	delete(defaults, "resolvConf") // depends on the machine
	data, err := yaml.Marshal(merged(defaults, m.Config.Kubelet))
	if err != nil {
		return nil, fmt.Errorf("encoding the kubelets' configuration: %w", err)
	}
	objects, err := m.uploaded("kubelet-config", "kubelet", data, templates.KubeletConfig())
	if err == nil && m.Config.Kubelet == nil {
		objects[0].SetAnnotations(map[string]string{
			"kubeadm.kubernetes.io/component-config.hash": fmt.Sprintf("sha256:%x", sha256.Sum256(data)),
		})
	}
	return objects, err
}

// uploaded is a ConfigMap of one key, and who may read it.
func (m Master) uploaded(name, key string, data, access []byte) ([]*unstructured.Unstructured, error) {
	object := cluster.ConfigMap("kube-system", name)
	object.Object["data"] = map[string]any{key: string(data)}
	readers, err := parseObjects(access)
	return append([]*unstructured.Unstructured{object}, readers...), err
}

// access wants the ClusterRoleBindings by which the group of admin.conf may do everything, and the apiserver ask kubelets
// (kubeadm: cmd/kubeadm/app/phases/kubeconfig, EnsureAdminClusterRoleBinding; phases/bootstraptoken/node). Without them
// only super-admin.conf is of use, and nobody sees the logs of a pod. Up to 1.35 the apiserver is an administrator itself.
func access(m Master) ([]*unstructured.Unstructured, error) {
	admins, err := parseObjects(templates.ClusterAdmins())
	if err != nil || kubeletClientGroups(m.Config) != nil {
		return admins, err
	}
	kubelets, err := parseObjects(templates.KubeletClient())
	return append(admins, kubelets...), err
}
