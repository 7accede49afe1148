package phases

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/internal/config"
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
	// Patches are the files of the directory that --patches names.
	Patches []manifests.PatchFile
	// Inputs are further files of the host that components mount and their flags name, by path.
	Inputs map[string][]byte
	// Running is what runs now, by component.
	Running map[string]host.Running
	// Administrators says that the cluster lets the group of admin.conf in.
	Administrators bool
	// Alive says that whoever runs the pods (kubelet or agent) answers.
	Alive bool
	// ProxyEnv are the proxy variables of tripod's own environment, which the components inherit as with kubeadm.
	ProxyEnv []corev1.EnvVar
	// Rootless is a master in a sandbox: host processes run by the agent, no kubelet, no container runtime.
	Rootless bool
	// Journaled says that the journal knows of an earlier init on this host.
	Journaled bool

	// entries counts the journal's.
	entries int
}

// Master is one control-plane node as a plan sees it: what it is to be, and what there is.
// What a phase wants is a pure function of it.
type Master struct {
	config.Config
	Facts
}
