package config

import (
	"fmt"
	"net/netip"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const placeholderToken = "abcdef.0123456789abcdef"

// InitDefaults are the documents that init would use without a file, as YAML. What m does not say
// is a placeholder: node, 1.2.3.4, abcdef.0123456789abcdef.
func InitDefaults(m Machine) ([]byte, error) {
	var c Config
	c.setDefaults(Overrides{}, m.orPlaceholders())
	newest := SupportedVersions()
	c.Cluster.KubernetesVersion = newest[len(newest)-1].Tag()
	// A token is described by who made it, and no taints written stand for the taint of a master.
	c.Init.BootstrapTokens[0].Description = ""
	c.Init.NodeRegistration.Taints = nil
	for i, meta := range []*metav1.TypeMeta{&c.Init.TypeMeta, &c.Cluster.TypeMeta} {
		meta.Kind, meta.APIVersion = formats()[i].kind, formats()[i].apiVersion
	}
	return join(c.Init, c.Cluster)
}

func (m Machine) orPlaceholders() Machine {
	if m.Hostname == "" {
		m.Hostname = "node"
	}
	if !m.DefaultIP.IsValid() {
		m.DefaultIP = netip.AddrFrom4([4]byte{1, 2, 3, 4})
	}
	if m.Token == "" {
		m.Token = placeholderToken
	}
	return m
}

// join prints documents one after the other.
func join(documents ...any) ([]byte, error) {
	var out []byte
	for i, document := range documents {
		data, err := yaml.Marshal(document)
		if err != nil {
			return nil, fmt.Errorf("print %T: %w", document, err)
		}
		if i > 0 {
			out = append(out, "---\n"...)
		}
		out = append(out, data...)
	}
	return out, nil
}
