package config

import (
	"cmp"
	"net/netip"
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
// Where the cluster has no controlPlaneEndpoint, Endpoint is the master's own address; a worker then has none.
func (c Config) OfLiving(clusterConfiguration, kubelet []byte, here Here) (Config, error) {
	c.Advertise, c.Loopback, c.Endpoint = here.Advertise, here.Loopback, ""
	if !c.Loopback.IsValid() {
		c.Loopback = loopback(here.Advertise.Addr())
	}
	master := here.Advertise.IsValid()
	if master {
		c.Endpoint = here.Advertise.String()
	}
	certDir := c.Upgrade.CertDir
	c, err := c.OfCluster(clusterConfiguration, kubelet)
	if err == nil && master {
		err = fromCluster(c.Cluster.Etcd.checkStacked())
	}
	if err != nil {
		return Config{}, err
	}
	c.Paths.PKI = cmp.Or(certDir, c.Paths.PKI)
	c.Node.Registration.Name = here.NodeName
	c.Node.Registration.CRISocket = cmp.Or(here.CRISocket, c.Node.Registration.CRISocket)
	return c, nil
}

// WithVersion is c with that Kubernetes version, or one of the labels that stand for one.
func (c Config) WithVersion(version string) (Config, error) {
	c.Cluster.KubernetesVersion = version
	if err := joined(c.deriveVersions()); err != nil {
		return Config{}, err
	}
	return c, nil
}
