package config

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// kubeadm's defaults, but for the algorithm: an ECDSA key is drawn a hundred times as fast, and is as good.
const (
	defaultAlgorithm  = "ECDSA-P256"
	defaultCRISocket  = "unix:///var/run/containerd/containerd.sock"
	defaultRepository = "registry.k8s.io"
	defaultServices   = "10.96.0.0/12"
	defaultBindPort   = 6443
	defaultLeaf       = 365 * 24 * time.Hour
	defaultCA         = 10 * defaultLeaf
)

// setDefaults fills in what neither documents nor flags say.
func (c *Config) setDefaults(o Overrides, m Machine) {
	c.Paths = PathsUnder(cmp.Or(o.Root, "/"))
	c.TokenDrawn = c.Init.setDefaults(o, m)
	here := c.Paths
	here.PKI, here.EtcdData = cmp.Or(m.PKI, here.PKI), cmp.Or(m.EtcdData, here.EtcdData)
	c.Cluster.setDefaults(here)
}

// setDefaults says whether the token is the one that was drawn.
func (i *InitConfiguration) setDefaults(o Overrides, m Machine) (drawn bool) {
	if len(i.BootstrapTokens) == 0 && m.Token != "" {
		i.BootstrapTokens = []BootstrapToken{{Description: "drawn at random by init"}}
	}
	for n := range i.BootstrapTokens {
		i.BootstrapTokens[n].setDefaults()
	}
	if len(i.BootstrapTokens) > 0 {
		first := &i.BootstrapTokens[0]
		drawn = first.Token == "" && m.Token != ""
		first.Token = cmp.Or(first.Token, m.Token)
	}
	i.NodeRegistration.setDefaults(m, true)
	i.LocalAPIEndpoint.setDefaults(o.Loopback, m)
	i.Timeouts = i.Timeouts.withDefaults()
	return drawn
}

func (t *BootstrapToken) setDefaults() {
	if t.TTL == nil && t.Expires == nil {
		t.TTL = duration(24 * time.Hour)
	}
	if len(t.Usages) == 0 {
		t.Usages = []string{"signing", "authentication"}
	}
	if len(t.Groups) == 0 && slices.Contains(t.Usages, "authentication") {
		t.Groups = []string{"system:bootstrappers:kubeadm:default-node-token"}
	}
}

func (n *NodeRegistration) setDefaults(m Machine, master bool) {
	n.Name = strings.ToLower(strings.TrimSpace(cmp.Or(n.Name, m.Node, m.Hostname)))
	if n.Taints == nil && master {
		n.Taints = []Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: "NoSchedule"}}
	}
	n.CRISocket = cmp.Or(n.CRISocket, onlySocket(m.CRISockets))
	if strings.HasPrefix(n.CRISocket, "/") {
		n.CRISocket = "unix://" + n.CRISocket
	}
	n.IgnorePreflightErrors = slices.Compact(slices.Sorted(slices.Values(lower(n.IgnorePreflightErrors))))
	n.ImagePullPolicy = cmp.Or(n.ImagePullPolicy, "IfNotPresent")
	if n.ImagePullSerial == nil {
		n.ImagePullSerial = new(true)
	}
}

// onlySocket is empty where there are several to choose from.
func onlySocket(sockets []string) string {
	switch len(sockets) {
	case 0:
		return defaultCRISocket
	case 1:
		return sockets[0]
	}
	return ""
}

func (e *APIEndpoint) setDefaults(sandbox netip.Addr, m Machine) {
	e.BindPort = cmp.Or(e.BindPort, int32(m.Advertise.Port()), defaultBindPort)
	if e.AdvertiseAddress != "" {
		return
	}
	if ip := cmp.Or(sandbox, m.Advertise.Addr(), m.DefaultIP); ip.IsValid() {
		e.AdvertiseAddress = ip.String()
	}
}

func (t *Timeouts) withDefaults() *Timeouts {
	var out Timeouts
	if t != nil {
		out = *t
	}
	out.ControlPlaneComponentHealthCheck = cmp.Or(out.ControlPlaneComponentHealthCheck, duration(4*time.Minute))
	out.KubeletHealthCheck = cmp.Or(out.KubeletHealthCheck, duration(4*time.Minute))
	out.KubernetesAPICall = cmp.Or(out.KubernetesAPICall, duration(time.Minute))
	out.EtcdAPICall = cmp.Or(out.EtcdAPICall, duration(2*time.Minute))
	out.TLSBootstrap = cmp.Or(out.TLSBootstrap, duration(5*time.Minute))
	out.Discovery = cmp.Or(out.Discovery, duration(5*time.Minute))
	out.UpgradeManifests = cmp.Or(out.UpgradeManifests, duration(5*time.Minute))
	return &out
}

func (c *ClusterConfiguration) setDefaults(paths Paths) {
	c.KubernetesVersion = cmp.Or(c.KubernetesVersion, "stable-1")
	c.ClusterName = cmp.Or(c.ClusterName, "kubernetes")
	c.ImageRepository = cmp.Or(c.ImageRepository, defaultRepository)
	c.CertificatesDir = cmp.Or(c.CertificatesDir, paths.PKI)
	c.EncryptionAlgorithm = cmp.Or(c.EncryptionAlgorithm, defaultAlgorithm)
	c.CertificateValidityPeriod = cmp.Or(c.CertificateValidityPeriod, duration(defaultLeaf))
	c.CACertificateValidityPeriod = cmp.Or(c.CACertificateValidityPeriod, duration(defaultCA))
	c.Networking.ServiceSubnet = cmp.Or(c.Networking.ServiceSubnet, defaultServices)
	c.Networking.DNSDomain = cmp.Or(c.Networking.DNSDomain, "cluster.local")
	if c.Etcd.Local == nil {
		c.Etcd.Local = &LocalEtcd{}
	}
	c.Etcd.Local.DataDir = cmp.Or(c.Etcd.Local.DataDir, paths.EtcdData)
	// Load balancers are often named with capitals, certificates never.
	c.APIServer.CertSANs = lower(c.APIServer.CertSANs)
	c.Etcd.Local.ServerCertSANs = lower(c.Etcd.Local.ServerCertSANs)
	c.Etcd.Local.PeerCertSANs = lower(c.Etcd.Local.PeerCertSANs)
}

// lower is a copy, as what is given may be the caller's.
func lower(words []string) []string {
	var out []string
	for _, word := range words {
		out = append(out, strings.ToLower(strings.TrimSpace(word)))
	}
	return out
}

func duration(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }
