package phases

import (
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"tripod.dev/tripod/templates"
)

// kubeProxyValues are what templates/kube-proxy.yaml places.
type kubeProxyValues struct {
	Image string
	// Configuration is the KubeProxyConfiguration of all nodes, YAML.
	Configuration string
	Server        string
	Env           []corev1.EnvVar
}

// kubeProxyObjects wants kube-proxy on every node (kubeadm: cmd/kubeadm/app/phases/addons/proxy).
func kubeProxyObjects(m Master) ([]*unstructured.Unstructured, error) {
	if m.Cluster.Proxy.Disabled {
		return nil, nil
	}
	configuration, err := yaml.Marshal(kubeProxyConfiguration(m))
	if err != nil {
		return nil, fmt.Errorf("encoding the KubeProxyConfiguration: %w", err)
	}
	objects, err := fillObjects(templates.KubeProxy(), kubeProxyValues{
		Image: m.Image("kube-proxy"), Configuration: string(configuration), Server: serverURL(adminConf, m.Config), Env: m.ProxyEnv,
	})
	if err == nil && m.Config.KubeProxy == nil {
		err = signDefaults(objects)
	}
	return objects, err
}

// kubeProxyConfiguration is the user's document over kubeadm's defaults. Fields that kubeadm writes as zero are left
// out: zero stands for kube-proxy's own default.
func kubeProxyConfiguration(m Master) map[string]any {
	bind := "0.0.0.0"
	if m.Advertise.Addr().Is6() {
		bind = "::"
	}
	defaults := map[string]any{
		"apiVersion":       "kubeproxy.config.k8s.io/v1alpha1",
		"kind":             "KubeProxyConfiguration",
		"bindAddress":      bind,
		"clientConnection": map[string]any{"kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf"},
	}
	if pods := m.Cluster.Networking.PodSubnet; pods != "" {
		defaults["clusterCIDR"] = pods
	}
	given := maps.Clone(m.Config.KubeProxy)
	delete(given, "metadata") // kind writes one, kube-proxy knows none
	return merged(defaults, withoutEmpty(given))
}

// withoutEmpty leaves out empty texts: there they mean, as nothing at all does, the default.
func withoutEmpty(document map[string]any) map[string]any {
	full := maps.Clone(document)
	maps.DeleteFunc(full, func(_ string, value any) bool { return value == "" })
	if below, is := full["clientConnection"].(map[string]any); is {
		full["clientConnection"] = withoutEmpty(below)
	}
	return full
}

// signDefaults marks the ConfigMap as not the user's: with a hash that fits, kubeadm may renew it when it upgrades
// (cmd/kubeadm/app/componentconfigs/checksums.go).
func signDefaults(objects []*unstructured.Unstructured) error {
	i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "ConfigMap" })
	data, _, err := unstructured.NestedStringMap(objects[i].Object, "data")
	if err != nil {
		return err
	}
	hash := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(data)) {
		_, _ = io.WriteString(hash, data[key]) // a hash takes everything
	}
	objects[i].SetAnnotations(map[string]string{"kubeadm.kubernetes.io/component-config.hash": fmt.Sprintf("sha256:%x", hash.Sum(nil))})
	return nil
}
