package phases

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// A port is one that a component listens on.
type port struct {
	number uint16
	// program is whose it is.
	program string
	// at are the addresses that it listens on; empty means all.
	at []netip.Addr
}

// ports are all that a master needs. A sandbox master's apiserver listens on its own address only.
func ports(c config.Config, rootless bool) []port {
	own := []netip.Addr{c.Loopback, c.Advertise.Addr()}
	local := own[:1]
	all := []port{
		{2379, "etcd", own},
		{2380, "etcd", own[1:]},
		{2381, "etcd", local},
		{10257, "kube-controller-manager", local},
		{10259, "kube-scheduler", local},
	}
	if rootless {
		return append(all, port{c.Advertise.Port(), "kube-apiserver", own})
	}
	return append(all, port{c.Advertise.Port(), "kube-apiserver", nil}, port{kubeletPort, "kubelet", nil})
}

// kubeletPort is where a kubelet serves, on every node.
const kubeletPort = 10250

// ports are those that this machine needs.
func (m Master) ports() []port {
	if m.role() == worker {
		return []port{{kubeletPort, "kubelet", nil}}
	}
	return ports(m.Config, m.Rootless)
}

// portsFree finds ports that somebody else holds. What an earlier run of tripod has started
// for this same cluster may hold its own.
func portsFree(m Master) []finding {
	var found []finding
	for _, p := range m.ports() {
		for _, l := range m.Survey.Listeners[p.number] {
			if !p.meets(l.Addr.Addr()) || p.heldByOurs(m, l) {
				continue
			}
			found = append(found, finding{
				id:      fmt.Sprintf("Port-%d", p.number),
				problem: fmt.Sprintf("port %d is held by %s", p.number, l),
				hint:    "stop it: " + p.program + " is to listen there",
			})
			break // one who listens on several addresses is one finding
		}
	}
	return found
}

// meets is whether somebody who listens at an address is in the way.
func (p port) meets(addr netip.Addr) bool {
	return len(p.at) == 0 || addr.IsUnspecified() || slices.Contains(p.at, addr)
}

// heldByOurs is whether the listener is the component itself, started by an earlier run. The
// runner may not know its process, so the program's name beside our manifest is enough. A
// kubelet that runs already is the one that will run the pods.
func (p port) heldByOurs(m Master, l host.Listener) bool {
	if l.PID != 0 && l.PID == m.Running[p.program].PID {
		return true
	}
	return l.Process == p.program && (p.program == "kubelet" || ours(m, p.program))
}

// manifestsOurs finds manifests of the four pods that are not this cluster's.
func manifestsOurs(m Master) []finding {
	var found []finding
	for _, component := range manifests.Components() {
		data, exists := m.Manifests[component+".yaml"]
		if !exists || ours(m, component) {
			continue
		}
		path := manifestPath(m, component)
		f := finding{id: pathID("FileAvailable", path), problem: path + " is there already, and tripod did not write it",
			hint: "if nobody needs that control plane any more, take it down first (tripod reset)"}
		if other := manifests.ClusterOf(data); other != "" {
			f.problem = fmt.Sprintf("%s belongs to another cluster: its CA is %s, %s", path, other, caHere(m))
			f.hint = "put that cluster's ca.crt and ca.key back, or take it down first"
		}
		found = append(found, f)
	}
	return found
}

// caHere tells the CA that is there from one that was drawn for the plan.
func caHere(m Master) string {
	if !caKept(m) {
		return "and there is no CA here"
	}
	return "the CA here is " + clusterID(m)
}

// caKept says whether the cluster's CA was found on disk.
func caKept(m Master) bool {
	_, kept := m.Files[filepath.Join(m.Paths.PKI, "ca.crt")]
	return kept
}

func strays(m Master) []finding {
	var found []finding
	for _, s := range manifests.Strays(m.Manifests) {
		found = append(found, finding{id: "Stray--" + s.Name, problem: filepath.Join(m.Paths.Manifests, s.Name) + " " + s.Reason,
			hint: "move it out of " + m.Paths.Manifests})
	}
	return found
}

// etcdDataOurs refuses a data directory with unknown content: a member that starts on it
// joins whatever cluster it was of. It is this cluster's if our manifest lies there, or if
// an earlier init ran on this host and its CA is still the one on disk: then that init was
// stopped, or its manifest taken away, between the member's start and now.
func etcdDataOurs(m Master) []finding {
	path := m.Paths.EtcdData
	if !m.hasData() || ours(m, "etcd") {
		return nil
	}
	if caKept(m) && m.Journaled {
		return nil
	}
	return []finding{{id: pathID("DirAvailable", path), problem: path + " is not empty, and not of this cluster as far as tripod can tell",
		hint: "look at it, and move it away if nobody needs it"}}
}

// diskSpace wants room for what is written at once, and for an etcd to grow a little; it
// warns below etcd's default quota.
func diskSpace(m Master) []finding {
	const mib = 1 << 20
	var found []finding
	for _, want := range []struct {
		dir         string
		least, good uint64
	}{
		{m.Paths.Kubernetes, 16 * mib, 16 * mib},
		{m.Paths.State, 16 * mib, 16 * mib},
		{m.Paths.EtcdData, 512 * mib, 2048 * mib},
	} {
		d, known := m.Survey.Dirs[want.dir]
		if !known || d.FreeBytes >= want.good {
			continue
		}
		found = append(found, finding{id: "DiskSpace", harmless: d.FreeBytes >= want.least,
			problem: fmt.Sprintf("%d MiB free on the disk of %s, %d are needed", d.FreeBytes/mib, want.dir, want.good/mib)})
	}
	return found
}

// writable leaves out what a user who is not root can not write anyway, and is told of once. So is a directory in
// which several would be made.
func writable(m Master) []finding {
	if !m.Rootless && m.Survey.UID != 0 {
		return nil
	}
	var found []finding
	for _, dir := range ownDirs(m.Config) {
		d := m.Survey.Dirs[dir]
		if d.Writable == nil {
			continue
		}
		there := cmp.Or(d.Above, dir)
		f := finding{id: pathID("Writable", there), problem: fmt.Sprintf("%s can not be written: %v", there, d.Writable)}
		if !slices.Contains(found, f) {
			found = append(found, f)
		}
	}
	return found
}
