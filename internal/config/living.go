package config

import (
	"cmp"
	"net/netip"
	"slices"
)

// Here is what one machine of a living cluster is, as its manifests and its kubelet have it.
type Here struct {
	NodeName, CRISocket string
	// Advertise is where its apiserver is reached; not valid on a worker.
	Advertise netip.AddrPort
	// Loopback is where its components are asked; not valid for the usual address of Advertise's family.
	Loopback netip.Addr
}

// OfLiving completes the Config of a machine that lives with what the cluster keeps, see OfCluster, and with what the machine is.
func (c Config) OfLiving(clusterConfiguration, kubelet []byte, here Here) (Config, error) {
	c.Advertise, c.Loopback = here.Advertise, here.Loopback
	if !c.Loopback.IsValid() {
		c.Loopback = loopback(here.Advertise.Addr())
	}
	c.Endpoint = here.Advertise.String()
	certDir := c.Upgrade.CertDir
	c, err := c.OfCluster(clusterConfiguration, kubelet)
	if err != nil {
		return c, err
	}
	c.Paths.PKI = cmp.Or(certDir, c.Paths.PKI)
	c.Node.Registration.Name = here.NodeName
	c.Node.Registration.CRISocket = cmp.Or(here.CRISocket, c.Node.Registration.CRISocket)
	return c, nil
}

// WithVersion is c with that Kubernetes version, or one of the labels that stand for one.
func (c Config) WithVersion(version string) (Config, error) {
	c.Cluster.KubernetesVersion = version
	if complaints := c.deriveVersions(); len(complaints) > 0 {
		return c, joined(complaints)
	}
	return c, nil
}

// WithDocuments is c with the ClusterConfiguration in data, and with the component documents that are there. What names the
// cluster, and can not change, may be left out, and must not differ; so may the version, and the algorithm of keys.
func (c Config) WithDocuments(data []byte, source string) (Config, []string, error) {
	what := livingReading()
	f := read(data, source, what)
	f.complaints = append(f.complaints, f.missing(source, what)...)
	if len(f.complaints) > 0 {
		return c, nil, joined(f.complaints)
	}
	wanted := c
	wanted.Cluster = f.config.Cluster
	wanted.Cluster.keep(c.Cluster)
	if f.config.Kubelet != nil {
		wanted.Kubelet = f.config.Kubelet
	}
	wanted.KubeProxy = f.config.KubeProxy
	wanted.Cluster.setDefaults(c.Paths)
	for _, complaint := range slices.Concat(wanted.Cluster.validate(), wanted.deriveCluster(), wanted.Cluster.stays(c.Cluster)) {
		f.complaints = append(f.complaints, f.origins.locate(complaint))
	}
	var warnings []string
	for _, warning := range f.warnings {
		warnings = append(warnings, warning.Error())
	}
	return wanted, warnings, joined(f.complaints)
}

// keep takes over what may be left out.
func (c *ClusterConfiguration) keep(was ClusterConfiguration) {
	c.KubernetesVersion = cmp.Or(c.KubernetesVersion, was.KubernetesVersion)
	c.EncryptionAlgorithm = cmp.Or(c.EncryptionAlgorithm, was.EncryptionAlgorithm)
	c.CertificatesDir = cmp.Or(c.CertificatesDir, was.CertificatesDir)
	c.ControlPlaneEndpoint = cmp.Or(c.ControlPlaneEndpoint, was.ControlPlaneEndpoint)
	c.ClusterName = cmp.Or(c.ClusterName, was.ClusterName)
	c.Networking.DNSDomain = cmp.Or(c.Networking.DNSDomain, was.Networking.DNSDomain)
	c.Networking.ServiceSubnet = cmp.Or(c.Networking.ServiceSubnet, was.Networking.ServiceSubnet)
	c.Networking.PodSubnet = cmp.Or(c.Networking.PodSubnet, was.Networking.PodSubnet)
	if c.Etcd.Local == nil {
		c.Etcd.Local = &LocalEtcd{}
	}
	c.Etcd.Local.DataDir = cmp.Or(c.Etcd.Local.DataDir, was.Etcd.Local.DataDir)
}

// stays complains of what can not change in a cluster that lives.
func (c ClusterConfiguration) stays(was ClusterConfiguration) []Complaint {
	var complaints []Complaint
	for _, f := range []struct{ field, now, was, why string }{
		{"networking.serviceSubnet", c.Networking.ServiceSubnet, was.Networking.ServiceSubnet, "Services have their addresses from it"},
		{"networking.podSubnet", c.Networking.PodSubnet, was.Networking.PodSubnet, "nodes have their pods' addresses from it"},
		{"networking.dnsDomain", c.Networking.DNSDomain, was.Networking.DNSDomain, "every kubelet, and every service account token, has it"},
		{"certificatesDir", c.CertificatesDir, was.CertificatesDir, "the authorities lie there on every master"},
		{"etcd.local.dataDir", c.Etcd.Local.DataDir, was.Etcd.Local.DataDir, "etcd's data lie there on every master"},
	} {
		if f.now != f.was {
			complaints = append(complaints, wrong(f.field, "is %q in this cluster, and does not become %q: %s", f.was, f.now, f.why).hint("leave it out, or make a new cluster"))
		}
	}
	return complaints
}
