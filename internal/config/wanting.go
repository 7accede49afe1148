package config

import (
	"cmp"
	"slices"
	"strings"
)

// WithDocuments is c with what a file says: a ClusterConfiguration takes the place of the cluster's, and so do the
// documents of components that are there. What names the cluster, and can not change, may be left out, and must not
// differ; so may the version, and the algorithm of keys. Whatever else is left out has the default that it has at init.
// The error is a *multierror.Error of every Complaint there is; the strings are warnings.
func (c Config) WithDocuments(data []byte, source string) (Config, []string, error) {
	f := read(data, source, livingReading())
	f.complaints = append(f.complaints, f.missing(source, livingReading())...)
	return f.complete(wanting{c, f, source}, Machine{})
}

// wanting is what a file makes of a living master's Config. It has no flags.
type wanting struct {
	living Config
	file   file
	source string
}

// apply puts what the file says into the living Config.
func (w wanting) apply(c *Config, _ origins) {
	said := *c
	*c = w.living
	if w.holds("ClusterConfiguration") {
		c.Cluster = said.Cluster
		c.Cluster.keep(w.living.Cluster)
	}
	if said.Kubelet != nil {
		c.Kubelet = said.Kubelet
	}
	if said.KubeProxy != nil {
		c.KubeProxy = said.KubeProxy
	}
}

func (w wanting) holds(kind string) bool { return w.file.first[kind] != 0 }

func (w wanting) settle(c *Config, _ Machine) []Complaint {
	if !w.holds("ClusterConfiguration") {
		return w.checkStaticPods(*c)
	}
	derived := c.deriveCluster()
	complaints := slices.Concat(c.Cluster.validate(), derived, w.checkNetworks(*c), w.checkStaticPods(*c))
	for _, complaint := range w.checkFixed(*c) {
		if !covered(complaint.Field, complaints) {
			complaints = append(complaints, complaint)
		}
	}
	return complaints
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
	var local LocalEtcd
	if c.Etcd.Local != nil {
		local = *c.Etcd.Local
	}
	if was.Etcd.Local != nil {
		local.DataDir = cmp.Or(local.DataDir, was.Etcd.Local.DataDir)
	}
	c.Etcd.Local = &local
}

// checkFixed complains of what can not change in a cluster that lives.
func (w wanting) checkFixed(c Config) []Complaint {
	was := w.living.Cluster
	var complaints []Complaint
	for _, f := range []struct{ field, was, now, why string }{
		{"networking.serviceSubnet", was.Networking.ServiceSubnet, c.Cluster.Networking.ServiceSubnet, "Services have their addresses from it"},
		{"networking.podSubnet", was.Networking.PodSubnet, c.Cluster.Networking.PodSubnet, "nodes have their pods' addresses from it"},
		{"networking.dnsDomain", was.Networking.DNSDomain, c.Cluster.Networking.DNSDomain, "every kubelet, and every service account token, has it"},
		{"certificatesDir", was.CertificatesDir, c.Cluster.CertificatesDir, "the authorities lie there on every master"},
		{"etcd.local.dataDir", was.Etcd.Local.DataDir, c.Cluster.Etcd.Local.DataDir, "etcd's data lie there on every master"},
		{"clusterName", was.ClusterName, c.Cluster.ClusterName, "cloud providers name by it what they have made"},
		{"controlPlaneEndpoint", was.ControlPlaneEndpoint, c.Cluster.ControlPlaneEndpoint, "the kubeconfigs of nodes and people name it"},
	} {
		if fresh := f.was == ""; !fresh && !same(f.was, f.now) {
			complaints = append(complaints, wrong(f.field, "is %q in this cluster, and does not become %q: %s", f.was, f.now, f.why).hint("%s", wayOut(f.field)))
		}
	}
	return complaints
}

// same takes subnets for the same, however they are written.
func same(was, now string) bool {
	before, unread := subnets("", was)
	after, unreadable := subnets("", now)
	return was == now || len(unread)+len(unreadable) == 0 && slices.Equal(before, after)
}

func wayOut(field string) string {
	if field == "controlPlaneEndpoint" {
		return "leave it out; a further name of the apiservers belongs into apiServer.certSANs"
	}
	return "leave it out, or make a new cluster"
}

// checkNetworks leaves alone what this cluster lives with.
func (w wanting) checkNetworks(c Config) []Complaint {
	if len(w.living.Pods) == 0 {
		return c.checkAddresses()
	}
	var complaints []Complaint
	for _, pods := range c.Pods {
		complaints = append(complaints, c.checkNodeMask(pods)...)
	}
	return complaints
}

// checkStaticPods keeps the kubelets where the manifests are: elsewhere they would end all of the control plane.
func (w wanting) checkStaticPods(c Config) []Complaint {
	if !w.holds("KubeletConfiguration") {
		return nil
	}
	complaints := c.checkManifests()
	for i := range complaints {
		complaints[i].Source, complaints[i].Document = w.source, w.file.first["KubeletConfiguration"]
	}
	return complaints
}

// cautions warn of an endpoint that is new: machines that are there do not learn of it.
func (w wanting) cautions() []Complaint {
	endpoint := w.file.config.Cluster.ControlPlaneEndpoint
	if endpoint == "" || w.living.Cluster.ControlPlaneEndpoint != "" {
		return nil
	}
	c := wrong("controlPlaneEndpoint", "is new in this cluster: workers that are there keep to the address of the master that they have joined by")
	return []Complaint{w.file.origins.locate(c.hint("write https://%s as server into /etc/kubernetes/kubelet.conf on every worker, and restart the kubelet", strings.TrimSpace(endpoint)))}
}
