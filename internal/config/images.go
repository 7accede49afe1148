package config

import "cmp"

// The versions of what Kubernetes is made of besides its own binaries, the same for all supported minors.
const (
	etcdTag    = "3.6.8-0"
	pauseTag   = "3.10.2"
	coreDNSTag = "v1.14.2"
)

// Image is the image of a component: etcd, pause, coredns, or one of Kubernetes' own such as kube-apiserver.
func (c Config) Image(component string) string {
	repository := c.Cluster.ImageRepository
	switch component {
	case "etcd":
		etcd := c.Cluster.Etcd.Local
		return cmp.Or(etcd.ImageRepository, repository) + "/etcd:" + cmp.Or(etcd.ImageTag, etcdTag)
	case "pause":
		return repository + "/pause:" + pauseTag
	case "coredns":
		repository = cmp.Or(c.Cluster.DNS.ImageRepository, repository)
		// Only the upstream registry keeps CoreDNS a level deeper.
		if repository == defaultRepository {
			repository += "/coredns"
		}
		return repository + "/coredns:" + cmp.Or(c.Cluster.DNS.ImageTag, coreDNSTag)
	}
	return repository + "/" + component + ":" + c.Version.Tag()
}

// Images are all images that a master needs, in the order of kubeadm config images list.
func (c Config) Images() []string {
	var all []string
	for _, component := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns", "pause", "etcd"} {
		without := component == "kube-proxy" && c.Cluster.Proxy.Disabled || component == "coredns" && c.Cluster.DNS.Disabled
		if !without {
			all = append(all, c.Image(component))
		}
	}
	return all
}
