package config_test

import (
	"net/netip"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/config"
)

func networking(services, pods string) string {
	return clusterKind + "networking: {serviceSubnet: \"" + services + "\", podSubnet: \"" + pods + "\"}\n"
}

func TestBadSubnets(t *testing.T) {
	t.Parallel()
	const services, pods = "networking.serviceSubnet: ", "networking.podSubnet: "
	const shape = " is not a subnet\n  hint: write it as 10.96.0.0/12, two of them with only a comma between"
	for name, test := range map[string]struct{ file, want string }{
		"no prefix":           {networking("10.96.0.0", ""), services + `"10.96.0.0"` + shape},
		"leading zero":        {networking("10.096.0.0/16", ""), services + `"10.096.0.0/16"` + shape},
		"space":               {networking("10.96.0.0/16, fd00::/112", ""), services + `" fd00::/112"` + shape},
		"mapped":              {networking("::ffff:10.96.0.0/112", ""), services + `"::ffff:10.96.0.0/112"` + shape},
		"host bits":           {networking("10.96.0.1/16", ""), services + "10.96.0.1/16 has bits set after its prefix\n  hint: write 10.96.0.0/16"},
		"too small":           {networking("10.96.0.0/29", ""), services + "10.96.0.0/29 is too small: 8 addresses"},
		"too large":           {networking("10.0.0.0/8", ""), services + "10.0.0.0/8 is too large\n  hint: the longest service subnet is a /12"},
		"too large for IPv6":  {networking("10.96.0.0/16,fd00::/64", ""), services + "fd00::/64 is too large\n  hint: the longest service subnet is a /108"},
		"same family":         {networking("10.96.0.0/16,10.97.0.0/16", ""), services + `"10.96.0.0/16,10.97.0.0/16" must be one subnet, or one of IPv4 and one of IPv6`},
		"three":               {networking("10.96.0.0/16,fd00::/112,fd01::/112", ""), services + `"10.96.0.0/16,fd00::/112,fd01::/112" must be one subnet, or one of IPv4 and one of IPv6`},
		"pods too small":      {networking("10.96.0.0/16", "10.244.0.0/25"), pods + "10.244.0.0/25 is smaller than the /24 that each node gets"},
		"pods too large":      {networking("10.96.0.0/16", "12.0.0.0/7"), pods + "12.0.0.0/7 is more than 2^16 times the /24 that each node gets\n  hint: set node-cidr-mask-size in controllerManager.extraArgs"},
		"overlap":             {networking("10.96.0.0/16", "10.96.128.0/17"), pods + "10.96.128.0/17 overlaps the service subnet 10.96.0.0/16"},
		"overlap of IPv6":     {networking("10.96.0.0/16,fd00::/112", "10.97.0.0/16,fd00::/56"), pods + "fd00::/56 overlaps the service subnet fd00::/112"},
		"address in services": {networking("192.168.0.0/16", ""), "localAPIEndpoint.advertiseAddress: 192.168.1.10 lies in the service subnet 192.168.0.0/16"},
		"address in pods":     {networking("10.96.0.0/16", "192.168.0.0/16"), "localAPIEndpoint.advertiseAddress: 192.168.1.10 lies in the pod subnet 192.168.0.0/16"},
		"other family first": {networking("fd00::/112,10.96.0.0/16", ""), "localAPIEndpoint.advertiseAddress: 192.168.1.10 is not of the IP family of the first service subnet, fd00::/112\n" +
			"  hint: give an address of that family with --apiserver-advertise-address, or another service subnet first"},
		"node mask": {networking("10.96.0.0/16", "10.244.0.0/16") + "controllerManager: {extraArgs: [{name: node-cidr-mask-size-ipv4, value: big}]}\n",
			"controllerManager.extraArgs: the size of a node's pod subnet is not a number"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := config.Load([]byte(test.file), "init.yaml", config.Overrides{}, machine())
			got := strings.TrimPrefix(strings.TrimPrefix(message(err), "init.yaml: document 1, line 3: "), "init.yaml: document 1, line 4: ")
			equal(t, test.want, got)
		})
	}
}

func TestGoodSubnets(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file           string
		services, pods []netip.Prefix
	}{
		"default":     {clusterKind, prefixes("10.96.0.0/12"), nil},
		"dual-stack":  {networking("10.96.0.0/16,fd00:96::/112", "10.244.0.0/16,fd00:244::/56"), prefixes("10.96.0.0/16", "fd00:96::/112"), prefixes("10.244.0.0/16", "fd00:244::/56")},
		"smallest":    {networking("10.96.0.0/28", ""), prefixes("10.96.0.0/28"), nil},
		"node mask":   {networking("10.96.0.0/16", "10.244.0.0/26") + "controllerManager: {extraArgs: [{name: node-cidr-mask-size, value: \"26\"}]}\n", prefixes("10.96.0.0/16"), prefixes("10.244.0.0/26")},
		"not cut up":  {networking("10.96.0.0/16", "10.244.0.0/26") + "controllerManager: {extraArgs: [{name: allocate-node-cidrs, value: \"false\"}]}\n", prefixes("10.96.0.0/16"), prefixes("10.244.0.0/26")},
		"unpublished": {networking("fd00:96::/112", "") + "apiServer: {extraArgs: [{name: endpoint-reconciler-type, value: none}]}\n", prefixes("fd00:96::/112"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := load(t, test.file)
			equal(t, test.services, c.Services)
			equal(t, test.pods, c.Pods)
		})
	}
}

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func TestServiceIPs(t *testing.T) {
	t.Parallel()
	c := load(t, networking("10.96.0.0/16,fd00:96::/112", ""))
	equal(t, []netip.Addr{netip.MustParseAddr("10.96.0.10"), netip.MustParseAddr("fd00:96::a")}, c.ServiceIPs(10))
}

func TestAdvertise(t *testing.T) {
	t.Parallel()
	sandbox := netip.MustParseAddr("127.17.0.2")
	for name, test := range map[string]struct {
		overrides             config.Overrides
		want, loopback, wrong string
	}{
		"default":         {config.Overrides{}, "192.168.1.10:6443", "127.0.0.1", ""},
		"given":           {config.Overrides{AdvertiseAddress: "10.0.0.1", BindPort: 8443}, "10.0.0.1:8443", "127.0.0.1", ""},
		"IPv6":            {config.Overrides{AdvertiseAddress: "fd00::1", ServiceCIDR: "fd01::/112"}, "[fd00::1]:6443", "::1", ""},
		"sandbox":         {config.Overrides{Loopback: sandbox}, "127.17.0.2:6443", "127.17.0.2", ""},
		"sandbox, given":  {config.Overrides{Loopback: sandbox, AdvertiseAddress: "127.17.0.3"}, "127.17.0.3:6443", "127.17.0.2", ""},
		"name":            {config.Overrides{AdvertiseAddress: "host"}, "", "", `"host" is not an IP address`},
		"zone":            {config.Overrides{AdvertiseAddress: "fe80::1%eth0"}, "", "", `"fe80::1%eth0" is not an IP address`},
		"loopback":        {config.Overrides{AdvertiseAddress: "127.0.0.1"}, "", "", "127.0.0.1 is a loopback address: " + unreachable},
		"unspecified":     {config.Overrides{AdvertiseAddress: "0.0.0.0"}, "", "", "0.0.0.0 is no address: " + unreachable},
		"multicast":       {config.Overrides{AdvertiseAddress: "224.0.0.1"}, "", "", "224.0.0.1 is a multicast address: " + unreachable},
		"broadcast":       {config.Overrides{AdvertiseAddress: "255.255.255.255"}, "", "", "255.255.255.255 is a broadcast address: " + unreachable},
		"link-local":      {config.Overrides{AdvertiseAddress: "fe80::1"}, "", "", "fe80::1 is a link-local address: " + unreachable},
		"sandbox, no use": {config.Overrides{Loopback: sandbox, AdvertiseAddress: "0.0.0.0"}, "", "", "0.0.0.0 is no address: " + unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _, err := config.Load(nil, "", test.overrides, machine())
			if test.wrong != "" {
				equal(t, "--apiserver-advertise-address: localAPIEndpoint.advertiseAddress: "+test.wrong, message(err))
				return
			}
			equal(t, "", message(err))
			equal(t, test.want, c.Advertise.String())
			equal(t, test.loopback, c.Loopback.String())
			equal(t, test.want, c.Endpoint)
		})
	}
}

const unreachable = "other nodes can not reach it\n  hint: give the address of a network interface"

func TestEndpoint(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"lb.example.com":      "lb.example.com:6443",
		"lb.example.com:8443": "lb.example.com:8443",
		"10.0.0.5":            "10.0.0.5:6443",
		"10.0.0.5:1":          "10.0.0.5:1",
		"fd00::5":             "[fd00::5]:6443",
		"[fd00::5]":           "[fd00::5]:6443",
		"[fd00::5]:8443":      "[fd00::5]:8443",
	} {
		t.Run(given, func(t *testing.T) {
			t.Parallel()
			c, _, err := config.Load(nil, "", config.Overrides{ControlPlaneEndpoint: given}, machine())
			equal(t, "", message(err))
			equal(t, want, c.Endpoint)
			equal(t, want, c.Cluster.ControlPlaneEndpoint)
		})
	}
}
