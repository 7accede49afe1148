package phases

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/manifests"
)

// addons are those that the configuration does not disable.
func addons(c config.Config) []string {
	var all []string
	if !c.Cluster.DNS.Disabled {
		all = append(all, "coredns")
	}
	if !c.Cluster.Proxy.Disabled {
		all = append(all, "kube-proxy")
	}
	return all
}

// fillObjects are the objects of a template with values.
func fillObjects(text string, values any) ([]*unstructured.Unstructured, error) {
	data, err := manifests.Fill(text, values)
	if err != nil {
		return nil, err
	}
	return parseObjects(data)
}
