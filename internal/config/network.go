package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Bounds of kubeadm: 10 services and 14 pods at least both mean four bits; an apiserver keeps a bitmap of all service addresses.
const (
	leastHostBits       = 4
	mostServiceHostBits = 20
	mostNodesBits       = 16
)

// subnets reads one subnet, or one of each family with a comma between them. Empty text is no subnet.
func subnets(field, text string) ([]netip.Prefix, []Complaint) {
	if text == "" {
		return nil, nil
	}
	var all []netip.Prefix
	var complaints []Complaint
	for part := range strings.SplitSeq(text, ",") {
		prefix, complaint := subnet(field, part)
		if complaint != nil {
			complaints = append(complaints, *complaint)
			continue
		}
		all = append(all, prefix)
	}
	if complaints == nil && (len(all) > 2 || len(all) == 2 && sameFamily(all[0].Addr(), all[1].Addr())) {
		complaints = append(complaints, wrong(field, "%q must be one subnet, or one of IPv4 and one of IPv6", text))
	}
	if complaints != nil {
		return nil, complaints
	}
	return all, nil
}

func subnet(field, text string) (netip.Prefix, *Complaint) {
	prefix, err := netip.ParsePrefix(text)
	var c Complaint
	switch {
	case err != nil || prefix.Addr().Is4In6():
		c = wrong(field, "%q is not a subnet", text).hint("write it as 10.96.0.0/12, two of them with only a comma between")
	case prefix.Masked() != prefix:
		c = wrong(field, "%s has bits set after its prefix", prefix).hint("write %s", prefix.Masked())
	case hostBits(prefix) < leastHostBits:
		c = wrong(field, "%s is too small: %d addresses", prefix, 1<<hostBits(prefix))
	case field == "networking.serviceSubnet" && hostBits(prefix) > mostServiceHostBits:
		c = wrong(field, "%s is too large", prefix).hint("the longest service subnet is a /%d", prefix.Addr().BitLen()-mostServiceHostBits)
	default:
		return prefix, nil
	}
	return netip.Prefix{}, &c
}

func hostBits(p netip.Prefix) int { return p.Addr().BitLen() - p.Bits() }

func sameFamily(a, b netip.Addr) bool { return a.Is4() == b.Is4() }

// checkAddresses is what holds between subnets and addresses. What could not be parsed is empty and passes.
func (c *Config) checkAddresses() []Complaint {
	const advertise, podSubnet = "localAPIEndpoint.advertiseAddress", "networking.podSubnet"
	var complaints []Complaint
	own := c.Advertise.Addr()
	for _, service := range c.Services {
		if service.Contains(own) {
			complaints = append(complaints, wrong(advertise, "%s lies in the service subnet %s", own, service))
		}
		for _, pods := range c.Pods {
			if pods.Overlaps(service) {
				complaints = append(complaints, wrong(podSubnet, "%s overlaps the service subnet %s", pods, service))
			}
		}
	}
	for _, pods := range c.Pods {
		if pods.Contains(own) {
			complaints = append(complaints, wrong(advertise, "%s lies in the pod subnet %s", own, pods))
		}
		complaints = append(complaints, c.checkNodeMask(pods)...)
	}
	return append(complaints, c.checkFamily()...)
}

// FamiliesDiffer says that the apiserver could not publish its address as the endpoint of the first service of all.
func (c Config) FamiliesDiffer() bool {
	own := c.Advertise.Addr()
	if !own.IsValid() || len(c.Services) == 0 || sameFamily(own, c.Services[0].Addr()) {
		return false
	}
	return last(c.Cluster.APIServer.ExtraArgs, "endpoint-reconciler-type") != "none"
}

// checkFamily keeps to that rule where somebody has given one of the two. That defaults do not go together is no reason to refuse
// a verb that needs neither: init finds it before it writes anything.
func (c *Config) checkFamily() []Complaint {
	given := c.Given.Gives("networking.serviceSubnet") || c.Given.Gives("localAPIEndpoint.advertiseAddress")
	if !c.FamiliesDiffer() || !given {
		return nil
	}
	own := c.Advertise.Addr()
	complaint := wrong("localAPIEndpoint.advertiseAddress", "%s is not of the IP family of the first service subnet, %s", own, c.Services[0])
	return []Complaint{complaint.hint("give an address of that family with --apiserver-advertise-address, or another service subnet first")}
}

// checkNodeMask checks that nodes get their part of a pod subnet, as the controller-manager will cut it.
func (c *Config) checkNodeMask(pods netip.Prefix) []Complaint {
	const field = "networking.podSubnet"
	args := c.Cluster.ControllerManager.ExtraArgs
	if last(args, "allocate-node-cidrs") == "false" {
		return nil
	}
	mask, ok := nodeMask(args, pods, len(c.Pods) == 1)
	switch {
	case !ok:
		return []Complaint{wrong("controllerManager.extraArgs", "the size of a node's pod subnet is not a number")}
	case pods.Bits() > mask:
		return []Complaint{wrong(field, "%s is smaller than the /%d that each node gets", pods, mask)}
	case mask-pods.Bits() > mostNodesBits:
		return []Complaint{wrong(field, "%s is more than 2^%d times the /%d that each node gets", pods, mostNodesBits, mask).
			hint("set node-cidr-mask-size in controllerManager.extraArgs")}
	}
	return nil
}

// nodeMask is how long the prefix of a node's pod subnet is.
func nodeMask(args []Arg, pods netip.Prefix, single bool) (int, bool) {
	mask, name := 24, "node-cidr-mask-size-ipv4"
	if pods.Addr().Is6() {
		mask, name = 64, "node-cidr-mask-size-ipv6"
	}
	text := last(args, name)
	if text == "" && single {
		text = last(args, "node-cidr-mask-size")
	}
	if text == "" {
		return mask, true
	}
	mask, err := strconv.Atoi(text)
	return mask, err == nil
}

// last is the value of the last argument of that name; empty if there is none.
func last(args []Arg, name string) string {
	for _, arg := range slices.Backward(args) {
		if arg.Name == name {
			return arg.Value
		}
	}
	return ""
}

// ServiceIPs are the n-th addresses of all service subnets, two of them in a dual-stack cluster: 1 is the service "kubernetes", 10
// the cluster DNS.
func (c Config) ServiceIPs(n int) []netip.Addr {
	var all []netip.Addr
	for _, subnet := range c.Services {
		all = append(all, nth(subnet, n))
	}
	return all
}

func nth(subnet netip.Prefix, n int) netip.Addr {
	addr := subnet.Addr()
	for range n {
		addr = addr.Next()
	}
	return addr
}
