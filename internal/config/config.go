// Package config reads kubeadm's documents and flags into one Config: strictly, with all
// complaints at once, each with its document, line and field. It knows what may be written
// in a configuration and what follows from it; it reads nothing of the machine by itself
// (what it has to know comes as Machine) and knows nothing of certificates or manifests.
package config

import (
	"net/netip"
	"path/filepath"
	"time"
)

// Config is what one machine is to be: the defaulted documents, and what follows from them.
// It is passed by value and never changed after Load; OfCluster makes another.
type Config struct {
	Init    InitConfiguration
	Cluster ClusterConfiguration
	// Join is what join alone reads; zero for init, as Init is for join.
	Join JoinConfiguration
	// Reset is what reset alone reads, as it was given: what it leaves open, the machine says.
	Reset ResetConfiguration
	// UpgradeDocument is what the verbs of upgrade read, as it was given; Upgrade what it and the flags say to the one verb
	// that runs. Other verbs that change a living machine have one, too.
	UpgradeDocument UpgradeConfiguration
	Upgrade         Upgrade
	// Node is what init, join and reset say alike of the machine that they run on.
	Node Node
	// Kubelet and KubeProxy are the passed-through component documents as given; nil if there were none.
	Kubelet, KubeProxy map[string]any

	// Version is the Kubernetes version, never a label.
	Version Version
	// EtcdVersion is that of the etcd image's tag (3.6.8 for 3.6.8-0).
	EtcdVersion Version
	// Advertise is localAPIEndpoint: where this master's apiserver is reached by others.
	Advertise netip.AddrPort
	// Loopback is where this master's own components are asked for their health, and where the
	// apiserver finds its etcd: 127.0.0.1 or ::1 by the family of Advertise, a sandbox master's own address.
	Loopback netip.Addr
	// Endpoint is controlPlaneEndpoint with its port, or Advertise where none is given: host:port.
	Endpoint string
	// Services and Pods are the subnets, IPv4 or IPv6 or one of each. Pods may be empty.
	Services, Pods []netip.Prefix
	// Timeouts are the documents' timeouts as durations.
	Health, KubeletHealth, APICall, EtcdCall, TLSBootstrap, DiscoveryTimeout, UpgradeManifests time.Duration
	// Leaf and CA are how long certificates are valid.
	LeafValidity, CAValidity time.Duration
	Paths                    Paths

	// TokenDrawn says that nobody gave a bootstrap token: the first of Init is Machine's.
	TokenDrawn bool
	// Given is what init was told, apart from defaults.
	Given Given
	// What init uploads or prints is said by its flags only.
	UploadCerts, SkipTokenPrint, SkipCertificateKeyPrint bool
}

// Node is what InitConfiguration, JoinConfiguration and ResetConfiguration say of one machine.
type Node struct {
	Registration NodeRegistration
	SkipPhases   []string
	// Patches is nil where there are none.
	Patches  *Patches
	Timeouts *Timeouts
	DryRun   bool
}

// Machine is what defaults depend on.
type Machine struct {
	Hostname string
	// DefaultIP is the address of the interface with the default route; the zero Addr if there is none.
	DefaultIP netip.Addr
	// CRISockets are the container runtime sockets that exist, unix://...; on a node, the one that its kubelet uses.
	CRISockets []string
	// Node is what the machine is called as the node that it is already; "" where it is none, and its host name counts.
	Node string
	// Advertise is where the apiserver of the master that it is already is reached; the zero AddrPort where it is none.
	Advertise netip.AddrPort
	// PKI and EtcdData are the directories of the master that it is already, "" where it is none.
	PKI, EtcdData string
	// Token is a bootstrap token drawn at random, for a configuration that names none; empty: none is added.
	Token string
}

// Paths are where things lie on a master. All absolute.
type Paths struct {
	Kubernetes string // /etc/kubernetes: the kubeconfigs
	PKI        string // certificatesDir, /etc/kubernetes/pki
	Manifests  string // /etc/kubernetes/manifests
	Kubelet    string // /var/lib/kubelet
	EtcdData   string // etcd.local.dataDir, /var/lib/etcd
	State      string // /var/lib/tripod: lock, journal, generations
	Binaries   string // the components' programs, of a sandbox's master; "" on a machine, where images hold them
}

// PathsUnder are kubeadm's paths below root, "/" for a real machine.
func PathsUnder(root string) Paths {
	k := filepath.Join(root, "etc/kubernetes")
	v := filepath.Join(root, "var/lib")
	return Paths{
		Kubernetes: k,
		PKI:        filepath.Join(k, "pki"),
		Manifests:  filepath.Join(k, "manifests"),
		Kubelet:    filepath.Join(v, "kubelet"),
		EtcdData:   filepath.Join(v, "etcd"),
		State:      filepath.Join(v, "tripod"),
	}
}
