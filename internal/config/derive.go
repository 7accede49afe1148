package config

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// derive works out what follows from the defaulted documents.
func (c *Config) derive(o Overrides) []Complaint {
	i := c.Init
	c.Node = Node{Registration: i.NodeRegistration, SkipPhases: i.SkipPhases, Patches: i.Patches, Timeouts: i.Timeouts, DryRun: i.DryRun}
	c.Paths.PKI = c.Cluster.CertificatesDir
	c.Paths.EtcdData = c.Cluster.Etcd.Local.DataDir
	return slices.Concat(
		c.deriveVersions(),
		c.deriveAddresses(o),
		c.deriveOwnEndpoint(),
		c.deriveTimeouts(*i.Timeouts),
		c.deriveValidity(),
	)
}

func (c *Config) deriveVersions() []Complaint {
	c.EtcdVersion, _ = etcdVersion(c.Cluster.Etcd.Local.ImageTag)
	v, complaints := kubernetesVersion(c.Cluster.KubernetesVersion)
	if complaints == nil {
		c.Version, c.Cluster.KubernetesVersion = v, v.Tag()
	}
	return complaints
}

// etcdVersion takes the version out of an image tag such as 3.6.8-0. A tag that holds none is
// taken for the default, and not ok.
func etcdVersion(tag string) (v Version, ok bool) {
	v, err := ParseVersion(cmp.Or(tag, etcdTag))
	if err != nil {
		v, _ = ParseVersion(etcdTag)
	}
	v.Pre = ""
	return v, err == nil
}

func (c *Config) deriveAddresses(o Overrides) []Complaint {
	var services, pods, advertise []Complaint
	c.Services, services = subnets("networking.serviceSubnet", c.Cluster.Networking.ServiceSubnet)
	c.Pods, pods = subnets("networking.podSubnet", c.Cluster.Networking.PodSubnet)
	c.Advertise, advertise = c.Init.LocalAPIEndpoint.parse("localAPIEndpoint", o.Loopback.IsValid())
	c.Loopback = o.Loopback
	if !c.Loopback.IsValid() {
		c.Loopback = loopback(c.Advertise.Addr())
	}
	return slices.Concat(services, pods, advertise, c.checkAddresses())
}

func loopback(family netip.Addr) netip.Addr {
	if family.Is6() {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// parse is the address at which others reach this master, a loopback address in a sandbox only.
func (e APIEndpoint) parse(parent string, sandbox bool) (netip.AddrPort, []Complaint) {
	field := parent + ".advertiseAddress"
	var complaints []Complaint
	if e.BindPort < 1 || e.BindPort > 65535 {
		complaints = append(complaints, wrong(parent+".bindPort", "%d is not a port: 1 to 65535", e.BindPort))
	}
	if e.AdvertiseAddress == "" {
		missing := wrong(field, "this machine has no default route to take the address from")
		return netip.AddrPort{}, append(complaints, missing.hint("give it with --apiserver-advertise-address"))
	}
	ip, err := netip.ParseAddr(e.AdvertiseAddress)
	switch {
	case err != nil || ip.Zone() != "" || ip.Is4In6():
		return netip.AddrPort{}, append(complaints, wrong(field, "%q is not an IP address", e.AdvertiseAddress))
	case !ip.IsGlobalUnicast() && !(ip.IsLoopback() && sandbox):
		return netip.AddrPort{}, append(complaints, wrong(field, "%s is %s: other nodes can not reach it", ip, scope(ip)).
			hint("give the address of a network interface"))
	}
	return netip.AddrPortFrom(ip, uint16(e.BindPort)), complaints
}

// scope names what an address is that is not global unicast.
func scope(ip netip.Addr) string {
	switch {
	case ip.IsLoopback():
		return "a loopback address"
	case ip.IsUnspecified():
		return "no address"
	case ip.IsMulticast():
		return "a multicast address"
	case ip.IsLinkLocalUnicast():
		return "a link-local address"
	}
	return "a broadcast address"
}

func (c *Config) deriveOwnEndpoint() []Complaint {
	own := netip.AddrPortFrom(c.Advertise.Addr(), c.Advertise.Port())
	c.Endpoint = own.String()
	if c.Cluster.ControlPlaneEndpoint == "" {
		return nil
	}
	return c.deriveEndpoint(int(c.Init.LocalAPIEndpoint.BindPort))
}

// deriveEndpoint reads controlPlaneEndpoint, whose port is often left out.
func (c *Config) deriveEndpoint(defaultPort int) []Complaint {
	host, port, ok := hostPort(c.Cluster.ControlPlaneEndpoint)
	if !ok {
		complaint := wrong("controlPlaneEndpoint", "%q is not a host name or an IP address, with or without a port", c.Cluster.ControlPlaneEndpoint)
		if strings.Contains(c.Cluster.ControlPlaneEndpoint, "://") {
			complaint = complaint.hint("write it without %q", strings.SplitAfter(c.Cluster.ControlPlaneEndpoint, "://")[0])
		}
		return []Complaint{complaint}
	}
	c.Endpoint = net.JoinHostPort(host, cmp.Or(port, strconv.Itoa(defaultPort)))
	c.Cluster.ControlPlaneEndpoint = c.Endpoint
	return nil
}

// hostPort reads host, host:port, IP, IP:port and the forms with brackets of IPv6.
func hostPort(s string) (host, port string, ok bool) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = s, ""
		if inner, bracketed := strings.CutPrefix(s, "["); bracketed {
			host = strings.TrimSuffix(inner, "]")
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return "", "", false
	}
	return host, port, isHost(host)
}

// deriveTimeouts reads how long is waited; all must be more than nothing.
func (c *Config) deriveTimeouts(t Timeouts) []Complaint {
	c.Health = t.ControlPlaneComponentHealthCheck.Duration
	c.KubeletHealth = t.KubeletHealthCheck.Duration
	c.APICall = t.KubernetesAPICall.Duration
	c.EtcdCall = t.EtcdAPICall.Duration
	c.TLSBootstrap = t.TLSBootstrap.Duration
	c.DiscoveryTimeout = t.Discovery.Duration
	c.UpgradeManifests = t.UpgradeManifests.Duration
	return slices.Concat(
		positive("timeouts.controlPlaneComponentHealthCheck", c.Health),
		positive("timeouts.kubeletHealthCheck", c.KubeletHealth),
		positive("timeouts.kubernetesAPICall", c.APICall),
		positive("timeouts.etcdAPICall", c.EtcdCall),
		positive("timeouts.tlsBootstrap", c.TLSBootstrap),
		positive("timeouts.discovery", c.DiscoveryTimeout),
		positive("timeouts.upgradeManifests", c.UpgradeManifests),
	)
}

// deriveValidity reads how long certificates are valid.
func (c *Config) deriveValidity() []Complaint {
	c.LeafValidity = c.Cluster.CertificateValidityPeriod.Duration
	c.CAValidity = c.Cluster.CACertificateValidityPeriod.Duration
	return slices.Concat(
		positive("certificateValidityPeriod", c.LeafValidity),
		positive("caCertificateValidityPeriod", c.CAValidity),
	)
}
