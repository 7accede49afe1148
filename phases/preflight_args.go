package phases

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"tripod.dev/tripod/manifests"
)

// addressFlags are the flags of a component that name addresses of the machine that it runs on.
func addressFlags(component string) []string {
	switch component {
	case "etcd":
		return []string{"advertise-client-urls", "initial-advertise-peer-urls", "listen-client-urls", "listen-metrics-urls", "listen-peer-urls"}
	case "kube-apiserver":
		return []string{"advertise-address", "bind-address"}
	}
	return []string{"bind-address"}
}

// addressesOurs refuses a master that joins with the address of another, which the cluster's configuration gives to all of them:
// its component would not come up, or others would look for it there. Its own patches count.
func addressesOurs(m Master) []finding {
	var found []finding
	for _, pod := range m.wantedPods() {
		flags := manifests.CommandFlags(pod)
		for _, flag := range addressFlags(pod.Name) {
			if alien := m.alien(flags[flag]); alien.IsValid() {
				found = append(found, m.ofOneMachine(pod.Name, flag, flags[flag], fmt.Sprintf("and %s is no address of this machine, %s", alien, m.Advertise.Addr())))
			}
		}
		if name := flags["name"]; pod.Name == "etcd" && name != m.Node.Registration.Name {
			found = append(found, m.ofOneMachine("etcd", "name", name, "and this machine is "+m.Node.Registration.Name))
		}
	}
	for _, flag := range []string{"initial-cluster", "initial-cluster-state"} {
		if value := argument(localEtcd(m.Config).ExtraArgs, flag, ""); value != "" {
			found = append(found, m.ofOneMachine("etcd", flag, value, "and what a member joins is known only when it joins"))
		}
	}
	return found
}

func (m Master) ofOneMachine(component, flag, value, why string) finding {
	return finding{id: "ExtraArgs-" + component + "-" + flag, problem: fmt.Sprintf("%s: %s=%s, %s", manifests.ArgsField(component), flag, value, why),
		hint: "the cluster's configuration holds for every master: take it out there (tripod apply on the master that it is for), and give it by a patch on that machine (--patches)"}
}

// alien is the first address among URLs or addresses that is not of this machine, the zero Addr if there is none.
func (m Master) alien(list string) netip.Addr {
	for _, text := range strings.Split(list, ",") {
		if u, err := url.Parse(text); err == nil && u.Host != "" {
			text = u.Hostname()
		}
		addr, err := netip.ParseAddr(text)
		if err == nil && !addr.IsUnspecified() && !addr.IsLoopback() && addr != m.Advertise.Addr() && !slices.Contains(m.Survey.Addresses, addr) {
			return addr
		}
	}
	return netip.Addr{}
}

// nodeIP refuses an address that the kubelet would not find on the machine (it ends), and tells of one that is not where this
// master is reached.
func nodeIP(m Master) []finding {
	value := argument(m.Node.Registration.KubeletExtraArgs, "node-ip", "")
	if value == "" || len(m.Survey.Addresses) == 0 {
		return nil
	}
	const field = "nodeRegistration.kubeletExtraArgs: node-ip="
	if alien := m.alien(value); alien.IsValid() {
		return []finding{{id: "NodeIP", problem: fmt.Sprintf("%s%s, and no interface of this machine has %s", field, value, alien), hint: "name one that it has, or leave it out"}}
	}
	advertised := m.Advertise.Addr().String()
	if m.role() == worker || slices.Contains(strings.Split(value, ","), advertised) || value == "0.0.0.0" || value == "::" {
		return nil // for those the kubelet chooses by itself
	}
	return []finding{{id: "NodeIP", harmless: true, problem: fmt.Sprintf("%s%s, and this master is reached at %s: its node has another address than its apiserver and its etcd", field, value, advertised)}}
}

// controllersRun tells of controllers that are off unless they are named, and that a cluster which nodes are to join by tokens needs.
func controllersRun(m Master) []finding {
	pod, err := m.podToBe("kube-controller-manager")
	if err != nil {
		return nil // the phase that wants it tells why
	}
	value, given := manifests.CommandFlags(pod)["controllers"]
	if !given {
		return nil
	}
	named := strings.Split(value, ",")
	var off []string
	for _, names := range [][2]string{{"bootstrapsigner", "bootstrap-signer-controller"}, {"tokencleaner", "token-cleaner-controller"}} {
		if !slices.Contains(named, names[0]) && !slices.Contains(named, names[1]) {
			off = append(off, names[0])
		}
	}
	if len(off) == 0 {
		return nil
	}
	return []finding{{id: "Controllers", harmless: true, problem: fmt.Sprintf("controllerManager.extraArgs: controllers=%s does not run %s: * does not mean them, and without them later tokens are not signed, expired ones not removed",
		value, strings.Join(off, " and ")), hint: "controllers=" + value + "," + strings.Join(off, ",")}}
}
