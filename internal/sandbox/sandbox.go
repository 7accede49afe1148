// Package sandbox lays out control planes that need no root: each master has an address of
// its own in 127.0.0.0/8, so that all components keep their standard ports, and directories
// of its own below one state folder. Several masters have a balancer in front of them, at an
// address beside theirs. It knows names, addresses and places; what runs there is
// brought up by the same phases as anywhere, with the embedded agent for a kubelet.
package sandbox

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
)

// Sandbox is a control plane on this machine, as its record has it.
type Sandbox struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	// KubernetesVersion is vMAJOR.MINOR.PATCH, as the sandbox was made or, since, all of it was upgraded.
	KubernetesVersion string `json:"kubernetesVersion"`
	// BinDir holds the component binaries of that version.
	BinDir string `json:"binDir"`
	// Upgrade is what the sandbox is to become, from before the first master changes until the last one has; nil otherwise.
	Upgrade *Release `json:"upgrade,omitempty"`
	// Config and Patches are the file and the directory that the last up was given; "" for none.
	Config  string `json:"config,omitempty"`
	Patches string `json:"patches,omitempty"`
	// Endpoint is where the balancer listens. It is not valid in a sandbox that was made for one master, which has none.
	Endpoint netip.AddrPort `json:"endpoint,omitzero"`
	Masters  []Master       `json:"masters"`

	dir string
}

// Master is one master of a sandbox.
type Master struct {
	// Name is m1, m2, ...; the node is called SANDBOX-m1.
	Name    string     `json:"name"`
	Address netip.Addr `json:"address"`
	// Stopped says that it was stopped on purpose.
	Stopped bool `json:"stopped,omitempty"`
	// KubernetesVersion and BinDir are those of a master that was upgraded before others; "" for those of the sandbox.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	BinDir            string `json:"binDir,omitempty"`
}

// Release is a version of Kubernetes, and where its component binaries are.
type Release struct {
	// KubernetesVersion is vMAJOR.MINOR.PATCH.
	KubernetesVersion string `json:"kubernetesVersion"`
	BinDir            string `json:"binDir"`
}

// ErrNotFound is a sandbox that does not exist.
var ErrNotFound = errors.New("no such sandbox")

// record is the file that makes a folder a sandbox.
const record = "sandbox.json"

// nameForm is that of a DNS label, as node names begin with it, which are as short.
var nameForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`)

// Folder is the state folder: $XDG_STATE_HOME/tripod/sandboxes, or the same below ~/.local/state.
func Folder() (string, error) {
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "tripod", "sandboxes"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("finding a place for sandboxes: %w\nhint: set XDG_STATE_HOME", err)
	}
	return filepath.Join(home, ".local", "state", "tripod", "sandboxes"), nil
}

// New is a sandbox with that many masters, at addresses that no other sandbox below folder has and where
// nothing listens. It is not written yet.
func New(folder, name string, masters int) (Sandbox, error) {
	if !nameForm.MatchString(name) {
		return Sandbox{}, fmt.Errorf("%q can't name a sandbox: lower case letters, digits and dashes, at most 40", name)
	}
	s := Sandbox{Name: name, Created: host.Now().UTC().Truncate(time.Second), dir: filepath.Join(folder, name)}
	others, _ := List(folder) // one whose record is damaged keeps its addresses as long as it listens there
	at, err := free(name, others)
	if err != nil {
		return Sandbox{}, err
	}
	if masters > 1 {
		s.Endpoint = at.endpoint()
	}
	s.Masters = []Master{{Name: "m1", Address: at.master(1)}}
	return s.Grown(masters)
}

// Grown is the sandbox with that many masters, as many as it has or more. It is not written yet.
func (s Sandbox) Grown(masters int) (Sandbox, error) {
	has := len(s.Masters)
	switch {
	case masters > MostMasters:
		return s, fmt.Errorf("%d masters are too many\nhint: at most %d; etcd gets slower with every voter", masters, MostMasters)
	case masters < has:
		return s, fmt.Errorf("sandbox %s has %d masters, which do not become %d\nhint: tripod sandbox stop tries a failure; for fewer masters tripod sandbox down --name %s takes it down, or give the new one another --name", s.Name, has, masters, s.Name)
	case masters > has && !s.Endpoint.IsValid():
		return s, fmt.Errorf("sandbox %s was made for one master: it has no balancer, and its certificates name none\nhint: tripod sandbox down --name %s takes it down, or give the new one another --name", s.Name, s.Name)
	}
	s.Masters = slices.Clone(s.Masters)
	for number := has + 1; number <= masters; number++ {
		s.Masters = append(s.Masters, Master{Name: masterName(number), Address: networkOf(s.Masters[0].Address).master(number)})
	}
	return s, nil
}

// Remove deletes everything that the sandbox has on disk, and the state folder with the last of them. Nothing may
// run in it any more.
func (s Sandbox) Remove() error {
	if err := host.Open("/").Delete(s.dir); err != nil {
		return err
	}
	folder := filepath.Dir(s.dir)
	for _, empty := range []string{folder, filepath.Dir(folder)} {
		_ = os.Remove(empty) // not if there is something in it
	}
	return nil
}

// Dir is the sandbox's folder.
func (s Sandbox) Dir() string { return s.dir }

// Master is the master of that name (m2), which may be given as its node's, too (NAME-m2).
func (s Sandbox) Master(name string) (Master, bool) {
	i := slices.IndexFunc(s.Masters, func(m Master) bool { return name == m.Name || name == s.Node(m) })
	if i < 0 {
		return Master{}, false
	}
	return s.Masters[i], true
}

// SetStopped notes whether the master of that name was stopped on purpose.
func (s *Sandbox) SetStopped(name string, stopped bool) {
	for i := range s.Masters {
		if s.Masters[i].Name == name {
			s.Masters[i].Stopped = stopped
		}
	}
}

// Address is where the cluster is reached: the balancer's, or that of the one master.
func (s Sandbox) Address() netip.Addr {
	if s.Endpoint.IsValid() {
		return s.Endpoint.Addr()
	}
	return s.Masters[0].Address
}

// Backends are where the apiservers are that the balancer spreads connections over, those of masters that may still come
// included: so it need not be started anew when the sandbox grows.
func (s Sandbox) Backends() []netip.AddrPort {
	var all []netip.AddrPort
	for number := range MostMasters {
		all = append(all, netip.AddrPortFrom(networkOf(s.Masters[0].Address).master(number+1), apiPort))
	}
	return all
}

// Balancer is where the balancer's paths begin.
func (s Sandbox) Balancer() string { return filepath.Join(s.dir, "balancer") }

// Root is where a master's paths begin, as / is for a machine.
func (s Sandbox) Root(m Master) string { return filepath.Join(s.dir, m.Name) }

// Paths are a master's paths.
func (s Sandbox) Paths(m Master) config.Paths { return config.PathsUnder(s.Root(m)) }

// Node is the name under which a master is known to its cluster.
func (s Sandbox) Node(m Master) string { return s.Name + "-" + m.Name }
