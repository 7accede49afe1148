package config

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8syaml "sigs.k8s.io/yaml"
)

// OfCluster completes the Config of a machine that joins with what the cluster keeps: the
// ClusterConfiguration of the ConfigMap kubeadm-config, v1beta4 or v1beta3, and the
// KubeletConfiguration of kubelet-config. Fields that are not known are passed over, as a newer
// kubeadm may have written them. Node and Join stay what they are.
func (c Config) OfCluster(clusterConfiguration, kubelet []byte) (Config, error) {
	cluster, err := tolerant(clusterConfiguration)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", clusterSource, err)
	}
	c.Kubelet = nil
	if err := k8syaml.Unmarshal(kubelet, &c.Kubelet); err != nil {
		return Config{}, fmt.Errorf("ConfigMap kube-system/kubelet-config: %w", err)
	}
	c.Cluster = cluster
	if err := fromCluster(c.deriveCluster()); err != nil {
		return Config{}, err
	}
	return c, nil
}

// clusterSource is what complaints call the document that the cluster keeps.
const clusterSource = "ConfigMap kube-system/kubeadm-config"

func fromCluster(complaints []Complaint) error {
	for i := range complaints {
		complaints[i].Source = clusterSource
	}
	return joined(complaints)
}

// deriveCluster is derive for what another master has written. kubeadm's algorithm is the one of
// clusters that name none: theirs were made by kubeadm.
func (c *Config) deriveCluster() []Complaint {
	c.Cluster.EncryptionAlgorithm = cmp.Or(c.Cluster.EncryptionAlgorithm, "RSA-2048")
	c.Cluster.setDefaults(c.Paths)
	// The masters of a sandbox share a machine, and have places of their own, whatever the first one has written of its own.
	if inSandbox := c.Loopback != loopback(c.Advertise.Addr()); !inSandbox {
		c.Paths.PKI, c.Paths.EtcdData = c.Cluster.CertificatesDir, c.Cluster.Etcd.Local.DataDir
	}
	var services, pods, endpoint []Complaint
	versions := c.deriveVersions()
	c.Services, services = subnets("networking.serviceSubnet", c.Cluster.Networking.ServiceSubnet)
	c.Pods, pods = subnets("networking.podSubnet", c.Cluster.Networking.PodSubnet)
	if c.Cluster.ControlPlaneEndpoint != "" {
		endpoint = c.deriveEndpoint(cmp.Or(int(c.Advertise.Port()), defaultBindPort))
	} else if token := c.Join.Discovery.BootstrapToken; token != nil {
		c.Endpoint = token.APIServerEndpoint
	}
	return slices.Concat(versions, services, pods, endpoint, c.deriveValidity())
}

// tolerant reads a ClusterConfiguration of either version, without complaints.
func tolerant(data []byte) (ClusterConfiguration, error) {
	var out ClusterConfiguration
	var root yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&root); err == io.EOF || err == nil && root.Content[0].Kind != yaml.MappingNode {
		return out, fmt.Errorf("holds no ClusterConfiguration")
	} else if err != nil {
		return out, err
	}
	node := root.Content[0]
	version, kind := text(node, "apiVersion").Value, text(node, "kind").Value
	if kind != "ClusterConfiguration" || version != groupNow && version != groupOld {
		return out, fmt.Errorf("holds %s %s\nhint: tripod reads ClusterConfiguration of %s and %s", version, kind, groupNow, groupOld)
	}
	modern([]document{{root: &root, node: node, format: formats()[1], old: version == groupOld}})
	r := reader{origins: origins{}}
	if err := fill(&out, r.value(node, nil, "")); err != nil {
		return out, fmt.Errorf("read it: %w", err)
	}
	return out, joined(r.complaints)
}

// ClusterDocument is the ClusterConfiguration as the ConfigMap kubeadm-config holds it: v1beta4, for
// kubeadm and tripod to join and upgrade by. It holds no secrets.
func (c Config) ClusterDocument() ([]byte, error) {
	cluster := c.Cluster
	cluster.TypeMeta = metav1.TypeMeta{APIVersion: groupNow, Kind: "ClusterConfiguration"}
	if cluster.Etcd.External != nil {
		cluster.Etcd.Local = nil
	}
	document, err := k8syaml.Marshal(cluster)
	if err != nil {
		return nil, fmt.Errorf("print the ClusterConfiguration: %w", err)
	}
	return document, nil
}
