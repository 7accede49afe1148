package phases

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/hashicorp/go-multierror"

	"tripod.dev/tripod/internal/config"
)

// leaveEtcdPhase is the name of the phase without which no data of a member that others count on are removed.
const leaveEtcdPhase = "remove-etcd-member"

// Reset is how a machine leaves its cluster. The member goes first, while all that is needed for it is there; what could
// start it again goes before its data. Killed anywhere, the next run goes on from what is left.
func Reset() []Phase {
	return []Phase{
		{Name: "preflight", About: "look at what is here, and at what could get in the way", Check: preflightReset},
		{Name: leaveEtcdPhase, About: "take this master's member out of etcd, as far as others remain", Check: mayLeave, Want: leaveEtcd, Locked: true},
		{Name: "cleanup-node", About: "stop the kubelet, end its pods, remove what init and join have written", Check: mayClean, Want: cleanNode},
	}
}

// preflightReset looks at what makes a reset impossible.
func preflightReset(m Master) ([]string, error) {
	return m.judge(slices.Concat(privileged(m), podsReachable(m)))
}

// podsReachable wants a container runtime where a kubelet has made pods: nobody else can end them.
func podsReachable(m Master) []finding {
	if m.Survey.Runtime.Err == nil || m.Survey.Dirs[podsDir(m.Config)].Entries == 0 {
		return nil
	}
	return []finding{{id: "CRI", problem: fmt.Sprintf("%v, and pods were made here", m.Survey.Runtime.Err),
		hint: "start the container runtime, or name another with --cri-socket; where its pods are gone for good, --ignore-preflight-errors=CRI"}}
}

// dirsOwn refuses to clear a directory that is plainly not etcd's, or that of the certificates, alone. Nobody can mean that.
func dirsOwn(m Master) error {
	var errs *multierror.Error
	for _, dir := range []string{m.Paths.EtcdData, m.Paths.PKI} {
		if other := neighbour(m.Paths, dir); other != "" {
			errs = multierror.Append(errs, finding{id: pathID("DirOwn", dir), problem: fmt.Sprintf("%s is to be cleared, and is not this master's alone: there is %s", dir, other),
				hint: "remove by hand what belongs to this master, and move the rest elsewhere"})
		}
	}
	if errs == nil {
		return nil
	}
	return &PreflightError{errs}
}

// neighbour is a directory of others that lies in dir, or that dir is; "" if none is known.
func neighbour(p config.Paths, dir string) string {
	ours := slices.DeleteFunc([]string{p.Kubernetes, p.Manifests, p.PKI, p.Kubelet, p.EtcdData, p.State}, func(own string) bool { return own == dir })
	theirs := []string{"/bin", "/boot", "/dev", "/etc/ssl", "/home", "/opt", "/proc", "/root", "/run", "/srv", "/sys", "/tmp", "/usr", "/var/log", "/var/tmp"}
	for _, other := range slices.Concat(ours, theirs) {
		if below(dir, other) {
			return other
		}
	}
	return ""
}

// below says whether path is dir or lies in it.
func below(dir, path string) bool {
	rest, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rest)
}

func podsDir(c config.Config) string { return filepath.Join(c.Paths.Kubelet, "pods") }

// NodeStays says that the cluster goes on, and has the object of this node.
func (m Master) NodeStays() bool { return m.Leaving.Node && !m.departure().last }

// skips says that the user leaves the phase out.
func (m Master) skips(phase string) bool {
	return slices.ContainsFunc(m.Node.SkipPhases, Phase{Name: phase}.Is)
}
