package phases

import (
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
	"strings"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
)

// The names of pairs are those of kubeadm's files below the PKI directory, without suffix. Pairs
// that end with .conf live in the kubeconfig of that name.
const (
	clusterCA    = "ca"
	frontProxyCA = "front-proxy-ca"
	etcdCA       = "etcd/ca"
	// kubeletServing lies where the kubelet looks for it.
	kubeletServing = "kubelet"

	adminConf             = "admin.conf"
	superAdminConf        = "super-admin.conf"
	controllerManagerConf = "controller-manager.conf"
	schedulerConf         = "scheduler.conf"
	kubeletConf           = "kubelet.conf"
)

// certificate is a row of the table of certificates. Without an issuer it is an authority.
type certificate struct {
	name, cn, issuer string
	groups           []string
	usages           []x509.ExtKeyUsage
	sans             []string
}

// pkiRequests are the certificates of a master as kubeadm makes them (cmd/kubeadm/app/phases:
// certs/certlist.go, kubeconfig/kubeconfig.go), and serving certificates of the controller-manager
// and the scheduler, by which their health can be asked for over verified TLS, and of the kubelet, which
// otherwise draws an RSA key before it does anything else. Authorities come before what they sign.
func pkiRequests(c config.Config) []certs.Request {
	node := c.Node.Registration.Name
	client := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	server := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	// An etcd member dials itself with its serving certificate: https://github.com/etcd-io/etcd/issues/9785
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}

	table := []certificate{
		{name: clusterCA, cn: "kubernetes"},
		{name: "apiserver", cn: "kube-apiserver", issuer: clusterCA, usages: server, sans: apiserverSANs(c)},
		{name: "apiserver-kubelet-client", cn: "kube-apiserver-kubelet-client", issuer: clusterCA, usages: client, groups: kubeletClientGroups(c)},
		{name: "kube-controller-manager", cn: "kube-controller-manager", issuer: clusterCA, usages: server, sans: healthSANs(c, "kube-controller-manager")},
		{name: "kube-scheduler", cn: "kube-scheduler", issuer: clusterCA, usages: server, sans: healthSANs(c, "kube-scheduler")},
		{name: kubeletServing, cn: node, issuer: clusterCA, usages: server, sans: []string{node, c.Advertise.Addr().String()}},

		{name: frontProxyCA, cn: "front-proxy-ca"},
		{name: "front-proxy-client", cn: "front-proxy-client", issuer: frontProxyCA, usages: client},

		{name: etcdCA, cn: "etcd-ca"},
		{name: "etcd/server", cn: node, issuer: etcdCA, usages: both, sans: etcdSANs(c, localEtcd(c).ServerCertSANs)},
		{name: "etcd/peer", cn: node, issuer: etcdCA, usages: both, sans: etcdSANs(c, localEtcd(c).PeerCertSANs)},
		{name: "etcd/healthcheck-client", cn: "kube-etcd-healthcheck-client", issuer: etcdCA, usages: client},
		{name: "apiserver-etcd-client", cn: "kube-apiserver-etcd-client", issuer: etcdCA, usages: client},

		{name: adminConf, cn: "kubernetes-admin", issuer: clusterCA, usages: client, groups: []string{"kubeadm:cluster-admins"}},
		{name: superAdminConf, cn: "kubernetes-super-admin", issuer: clusterCA, usages: client, groups: []string{"system:masters"}},
		{name: controllerManagerConf, cn: "system:kube-controller-manager", issuer: clusterCA, usages: client},
		{name: schedulerConf, cn: "system:kube-scheduler", issuer: clusterCA, usages: client},
		{name: kubeletConf, cn: "system:node:" + node, issuer: clusterCA, usages: client, groups: []string{"system:nodes"}},
	}
	requests := make([]certs.Request, 0, len(table))
	for _, row := range table {
		if row.name == superAdminConf && joins(c) {
			continue // the first master has it, for emergencies
		}
		requests = append(requests, row.request(c))
	}
	return requests
}

func (r certificate) request(c config.Config) certs.Request {
	spec := certs.Spec{
		CommonName:   r.cn,
		Organization: r.groups,
		Usages:       r.usages,
		Algorithm:    certs.Algorithm(c.Cluster.EncryptionAlgorithm),
		Validity:     c.LeafValidity,
	}
	if r.issuer == "" {
		spec.CA, spec.Validity, r.sans = true, c.CAValidity, []string{r.cn}
	}
	spec.DNSNames, spec.IPs = splitSANs(r.sans)
	return certs.Request{Name: r.name, Label: pairLabel(c, r.name), Spec: spec, Issuer: r.issuer}
}

// kubeletClientGroups are how the apiserver may talk to kubelets: as an administrator up to 1.35,
// by a ClusterRoleBinding of its own from 1.36 on.
func kubeletClientGroups(c config.Config) []string {
	if c.Version.Major == 1 && c.Version.Minor <= 35 {
		return []string{"kubeadm:cluster-admins"}
	}
	return nil
}

// apiserverSANs hold one service address even with two subnets: the kubernetes service has no
// other, and the first address of the second subnet may be given to any service.
func apiserverSANs(c config.Config) []string {
	service := "kubernetes.default.svc"
	sans := []string{c.Node.Registration.Name, "kubernetes", "kubernetes.default", service, service + "." + c.Cluster.Networking.DNSDomain}
	if len(c.Services) > 0 {
		sans = append(sans, c.Services[0].Masked().Addr().Next().String())
	}
	sans = append(sans, c.Advertise.Addr().String())
	if host, _, err := net.SplitHostPort(c.Endpoint); err == nil {
		sans = append(sans, host)
	}
	sans = append(sans, c.Cluster.APIServer.CertSANs...)
	return append(sans, sandboxSANs(c)...)
}

func etcdSANs(c config.Config, extra []string) []string {
	sans := []string{c.Node.Registration.Name, "localhost", c.Advertise.Addr().String(), "127.0.0.1", "::1"}
	return append(append(sans, extra...), sandboxSANs(c)...)
}

func healthSANs(c config.Config, component string) []string {
	return append([]string{component, "localhost", "127.0.0.1", "::1"}, sandboxSANs(c)...)
}

// sandboxSANs is the loopback address that a sandbox master has instead of the usual one. The
// usual ones are not in kubeadm's serving certificate of the apiserver, nor in ours.
func sandboxSANs(c config.Config) []string {
	usual := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback(), {}}
	if slices.Contains(usual, c.Loopback) {
		return nil
	}
	return []string{c.Loopback.String()}
}

func localEtcd(c config.Config) config.LocalEtcd {
	if c.Cluster.Etcd.Local == nil {
		return config.LocalEtcd{}
	}
	return *c.Cluster.Etcd.Local
}

// splitSANs sorts out names and addresses, each once: names by alphabet, as kubeadm has them.
func splitSANs(sans []string) (names []string, addrs []netip.Addr) {
	for _, san := range sans {
		addr, err := netip.ParseAddr(san)
		switch {
		case err != nil:
			names = append(names, strings.ToLower(san))
		case !slices.Contains(addrs, addr.Unmap()):
			addrs = append(addrs, addr.Unmap())
		}
	}
	slices.Sort(names)
	return slices.Compact(names), addrs
}
