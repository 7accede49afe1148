package config

import (
	"fmt"
	"net/netip"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const placeholderToken = "abcdef.0123456789abcdef"

// InitDefaults are the documents that init would use without a file, as YAML. What m does not say
// is a placeholder: node, 1.2.3.4, abcdef.0123456789abcdef. components are kinds of component
// documents to show as well: KubeletConfiguration, KubeProxyConfiguration.
func InitDefaults(m Machine, components ...string) ([]byte, error) {
	var c Config
	c.setDefaults(Overrides{}, m.orPlaceholders())
	newest := SupportedVersions()
	c.Cluster.KubernetesVersion = newest[len(newest)-1].Tag()
	// A token is described by who made it, and no taints written stand for the taint of a master.
	c.Init.BootstrapTokens[0].Description = ""
	c.Init.NodeRegistration.Taints = nil
	c.Init.TypeMeta, c.Cluster.TypeMeta = meta("InitConfiguration"), meta("ClusterConfiguration")
	documents := []any{c.Init, c.Cluster}
	for _, kind := range components {
		document, err := componentDefaults(kind)
		if err != nil {
			return nil, err
		}
		documents = append(documents, document)
	}
	return join(documents...)
}

// JoinDefaults is the document that join would use, as YAML, with placeholders for what only the cluster knows.
func JoinDefaults(m Machine) ([]byte, error) {
	m = m.orPlaceholders()
	var c Config
	c.Join.Discovery.BootstrapToken = &BootstrapTokenDiscovery{
		Token: m.Token, APIServerEndpoint: "kube-apiserver:6443", UnsafeSkipCAVerification: true,
	}
	c.Join.setDefaults(JoinOverrides{}, m, PathsUnder("/"))
	c.Join.TypeMeta = meta("JoinConfiguration")
	return join(c.Join)
}

// ResetDefaults is the document that reset would use, as YAML.
func ResetDefaults(m Machine) ([]byte, error) {
	return join(ResetConfiguration{
		TypeMeta:        meta("ResetConfiguration"),
		CertificatesDir: PathsUnder("/").PKI,
		CRISocket:       onlySocket(m.CRISockets),
		Timeouts:        (*Timeouts)(nil).withDefaults(),
	})
}

// UpgradeDefaults is the document that the verbs of upgrade would use, as YAML.
func UpgradeDefaults() ([]byte, error) {
	yes := new(true)
	return join(UpgradeConfiguration{
		TypeMeta: meta("UpgradeConfiguration"),
		Apply:    UpgradeApply{CertificateRenewal: yes, EtcdUpgrade: yes, ImagePullPolicy: "IfNotPresent", ImagePullSerial: yes},
		Node:     UpgradeNode{CertificateRenewal: yes, EtcdUpgrade: yes, ImagePullPolicy: "IfNotPresent", ImagePullSerial: yes},
		Plan:     UpgradePlan{EtcdUpgrade: yes},
		Timeouts: (*Timeouts)(nil).withDefaults(),
	})
}

// componentDefaults is what a component's document says that nobody has written.
func componentDefaults(kind string) (any, error) {
	components := componentDocuments()
	document, ok := components[kind]
	if !ok {
		return nil, fmt.Errorf("there is no component configuration %q\nhint: KubeletConfiguration, KubeProxyConfiguration", kind)
	}
	i := slices.IndexFunc(formats(), func(f format) bool { return f.kind == kind })
	document["kind"], document["apiVersion"] = kind, formats()[i].apiVersions[0]
	return document, nil
}

func componentDocuments() map[string]map[string]any {
	return map[string]map[string]any{
		"KubeletConfiguration": {
			"authentication": map[string]any{
				"anonymous": map[string]any{"enabled": false},
				"webhook":   map[string]any{"enabled": true},
				"x509":      map[string]any{"clientCAFile": PathsUnder("/").PKI + "/ca.crt"},
			},
			"authorization":      map[string]any{"mode": "Webhook"},
			"cgroupDriver":       "systemd",
			"clusterDNS":         []string{"10.96.0.10"},
			"clusterDomain":      "cluster.local",
			"healthzBindAddress": "127.0.0.1",
			"healthzPort":        10248,
			"rotateCertificates": true,
			"staticPodPath":      PathsUnder("/").Manifests,
		},
		"KubeProxyConfiguration": {
			"bindAddress":      "0.0.0.0",
			"clientConnection": map[string]any{"kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf"},
		},
	}
}

func meta(kind string) metav1.TypeMeta { return metav1.TypeMeta{APIVersion: groupNow, Kind: kind} }

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
