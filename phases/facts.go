package phases

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// Facts are everything that is read, or drawn at random, before anything is decided.
type Facts struct {
	// Now is when the facts were read; certificates begin and expire by it.
	Now time.Time
	// Survey is what the machine looks like.
	Survey host.Survey
	// PKI holds every pair that the master needs: kept from disk, or freshly drawn.
	PKI PKI
	// Files are the files on disk that a plan may write, by path. What is not in it does not exist.
	Files map[string]host.File
	// Manifests are the files of the manifest directory whose names do not begin with a dot, by name.
	Manifests map[string][]byte
	// Patches are the files of the directory that --patches names; on a living master where it names none, those that the
	// cluster keeps.
	Patches []manifests.PatchFile
	// PatchTexts are Patches as they are written, by the name of the file.
	PatchTexts map[string]string
	// KeptPatches are those that the cluster keeps for this master, likewise.
	KeptPatches map[string]string
	// Inputs are further files of the host that components mount and their flags name, by path.
	Inputs map[string][]byte
	// Sources are what lies where the pods mount something of the host, or read it, by path.
	Sources map[string]Known[host.Kind]
	// Running is what runs now, by component.
	Running map[string]host.Running
	// Objects are those in the cluster's API that a plan may want, as they are now.
	Objects Objects
	// Tokens are the bootstrap tokens that the cluster has.
	Tokens Known[[]bootstrap.Record]
	// CertificateKey opens the uploaded certificates, in hex: given, or drawn. Empty where none are uploaded.
	CertificateKey string
	// Alive says that whoever runs the pods (kubelet or agent) answers.
	Alive bool
	// ProxyEnv are the proxy variables of tripod's own environment, which the components inherit as with kubeadm.
	ProxyEnv []corev1.EnvVar
	// Rootless is a master in a sandbox: host processes run by the agent, no kubelet, no container runtime.
	Rootless bool
	// Etcd are the members of the cluster that this machine joins, or that it is a member of.
	Etcd Known[etcd.Cluster]
	// Membership is which member this master is, as its state directory remembers it; zero if it does not.
	Membership Membership
	// Beginning is what is known of a machine that is to be a first master; nil where it is not.
	Beginning *Beginning
	// Joining is what is known of the cluster that this machine joins; nil where it is the first.
	Joining *Joining
	// Leaving is what is known of a machine that is reset; nil where it is not.
	Leaving *Leaving
	// Living is what is known of a master that is changed; nil where it is not.
	Living *Living
	// Generations are what ran on this master, oldest first.
	Generations []Generation
	// Journaled says that the journal knows of an earlier init on this host.
	Journaled bool

	// entries counts the journal's.
	entries int
	// lifetime is a token, freshly drawn, whose end is that of the uploaded certificates.
	lifetime bootstrap.Token
}

// Master is one control-plane node as a plan sees it: what it is to be, and what there is.
// What a phase wants is a pure function of it.
type Master struct {
	config.Config
	Facts
}
