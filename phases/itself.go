package phases

import (
	"cmp"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
)

// Itself completes what is known of a machine with what it is already as a node: what its kubelet is called, which container
// runtime that uses, on a master where the apiserver listens, and where certificates and etcd's data lie. All that runs here
// was made with these, so they come before what a host name and a default route suggest. What can not be read stays open:
// the checks of each verb tell of it.
func Itself(h *host.Host, machine config.Machine) config.Machine {
	m := Master{Config: config.Config{Paths: config.PathsUnder("/")}, Facts: Facts{Living: &Living{}}}
	_ = m.recall(h, m.Config) // where a killed change has taken manifests away, the history has them
	if m.read(h, m.Config) != nil {
		return machine
	}
	here, _ := m.here()
	machine.Node, machine.Advertise = here.NodeName, here.Advertise
	if m.isMaster() {
		machine.PKI, machine.EtcdData = m.Paths.PKI, m.Paths.EtcdData
	}
	if socket, _ := KubeletSocket(h, m.Config); socket != "" {
		machine.CRISockets = []string{socket}
	}
	return machine
}

// nodeHere is what this node is called: as its kubelet's certificate has it, or the etcd member that runs here; "" if neither
// is there.
func (m *Master) nodeHere() string {
	return cmp.Or(m.kubeletsName(), etcdHere(m.earlierManifest("etcd")).Name)
}
