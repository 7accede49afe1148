package phases

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// ask is what the checks want to know of a machine. The kubelet's version is not
// asked for: to run the kubelet for it costs as much computing as all the rest of tripod does.
func ask(c config.Config, rootless bool) host.Ask {
	a := host.Ask{Dirs: append(ownDirs(c), etcdDirs(c)...)}
	for _, p := range ports(c, rootless) {
		a.Ports = append(a.Ports, p.number)
	}
	if !rootless {
		a.CRISocket = c.Node.Registration.CRISocket
		a.Images = images(c)
		a.KubeletFiles = KubeletPaths(c)
		a.KubeletDir, a.Manifests = c.Paths.Kubelet, c.Paths.Manifests
	}
	return a
}

// ownDirs are the directories that tripod writes into.
func ownDirs(c config.Config) []string {
	return []string{c.Paths.Kubernetes, c.Paths.PKI, c.Paths.Manifests, c.Paths.EtcdData, c.Paths.State, c.Paths.Kubelet}
}

// A finding is something that stands in the way, or may.
type finding struct {
	// id is kubeadm's name of the check, by which users ignore it; ours where kubeadm has none.
	id      string
	problem string
	hint    string
	// harmless is a warning.
	harmless bool
}

// Error is the finding as kubeadm writes it: [Port-2380] and what is wrong.
func (f finding) Error() string { return "[" + f.id + "] " + f.problem + hintLine(f.hint) }

// A role is what a machine is to be.
type role int

const (
	first   role = 1 << iota // the first master
	further                  // a master that joins
	worker
	masters = first | further
	joining = further | worker
)

// role is what this machine is to be.
func (m Master) role() role {
	switch {
	case m.Joining == nil:
		return first
	case joinsAsMaster(m.Config):
		return further
	}
	return worker
}

// A check looks at one side of the facts.
type check struct {
	find func(Master) []finding
	// kubelet is a check that makes sense only where a kubelet runs the pods.
	kubelet bool
	// alone is a check that needs to know nothing but this machine.
	alone bool
	// on are the roles that it makes sense for; 0 is all.
	on role
}

// applies says whether the check makes sense on the machine.
func (c check) applies(m Master) bool {
	return (!c.kubelet || !m.Rootless) && (c.on == 0 || c.on&m.role() != 0)
}

// checks are all that is looked at. The pull of images is not among them: it is a change.
func checks() []check {
	return []check{
		{find: privileged, kubelet: true, alone: true},
		{find: cpus, kubelet: true, alone: true, on: masters},
		{find: memory, kubelet: true, alone: true, on: masters},
		{find: swap, kubelet: true},
		{find: programs, kubelet: true, alone: true},
		{find: systemVerification, kubelet: true},
		{find: forwarding, kubelet: true},
		{find: containerRuntime, kubelet: true, alone: true},
		{find: kubeletService, kubelet: true},
		{find: kubeletVersion, kubelet: true},
		{find: staticPods, kubelet: true, on: masters},
		{find: firewalld, kubelet: true, on: masters},
		{find: proxies, kubelet: true, on: masters},
		{find: nodeName, alone: true},
		{find: clock},
		{find: diskSpace, alone: true},
		{find: writable, alone: true},
		{find: portsFree},
		{find: manifestsOurs, on: masters},
		{find: strays, alone: true},
		{find: kubeletConfOurs, on: joining},
		{find: caOurs, on: joining},
		{find: noMaster, alone: true, on: worker},
		{find: nodeFree, on: joining},
		{find: kubeletDiffers, kubelet: true, on: joining},
		{find: unfinished, on: first},
		{find: familiesAgree, on: first},
		{find: etcdDataOurs, on: first},
		{find: dataKept, on: masters},
		{find: moved, kubelet: true, on: masters},
		{find: memberOurs, on: further},
		{find: membersThere, on: further},
		{find: wouldChange, kubelet: true, on: further},
		{find: quorumKept, on: further},
		{find: endpointOutlives, on: further},
		{find: clocksAgree, on: further},
		{find: configurationsAgree, on: further},
		{find: mastersAgree, on: further},
		{find: sourcesThere, on: masters},
		{find: addressesOurs, on: further},
		{find: nodeIP, kubelet: true, alone: true},
		{find: controllersRun, on: masters},
	}
}

// preflight judges the machine: every finding at once.
func preflight(m Master) (warnings []string, err error) {
	var found []finding
	for _, c := range checks() {
		if c.applies(m) {
			found = append(found, c.find(m)...)
		}
	}
	return m.judge(found)
}

// judge tells findings that stop a run from those that are warnings, as the configuration says to ignore them.
func (m Master) judge(found []finding) (warnings []string, err error) {
	var errs *multierror.Error
	for _, f := range found {
		if f.harmless || ignored(m, f.id) {
			warnings = append(warnings, f.Error())
			continue
		}
		errs = multierror.Append(errs, f)
	}
	if errs != nil {
		return warnings, &PreflightError{errs}
	}
	return warnings, nil
}

func ignored(m Master, id string) bool {
	return slices.ContainsFunc(m.Node.Registration.IgnorePreflightErrors, func(s string) bool {
		return strings.EqualFold(s, id) || strings.EqualFold(s, "all")
	})
}

// pathID is the name of a check of one path: slashes become dashes, as in kubeadm's.
func pathID(check, path string) string { return check + "-" + strings.ReplaceAll(path, "/", "-") }

func manifestPath(m Master, component string) string {
	return filepath.Join(m.Paths.Manifests, component+".yaml")
}

// ours is whether the component's manifest is there and of this cluster.
func ours(m Master, component string) bool {
	data, exists := m.Manifests[component+".yaml"]
	return exists && clusterID(m) != "" && manifests.ClusterOf(data) == clusterID(m)
}

// clusterID is how manifests name the cluster that they belong to: the digest of its CA's key.
func clusterID(m Master) string {
	ca := m.PKI.Pairs[clusterCA].Cert
	if ca == nil {
		return ""
	}
	return certs.Fingerprint(ca.PublicKey)
}

// images are those of the pods, the addons' too: whichever node they go to, this one is the first. The pause image
// is not among them: which one is needed, the container runtime's own configuration says, and it fetches it by itself.
func images(c config.Config) []string {
	var all []string
	for _, component := range manifests.Components() {
		all = append(all, c.Image(component))
	}
	for _, component := range addons(c) {
		if !slices.ContainsFunc(c.Node.SkipPhases, Phase{Name: "addon/" + component}.Is) {
			all = append(all, c.Image(component))
		}
	}
	return all
}

// missingImages wants the pods' images on the machine before anything is written, as far as
// imagePullPolicy says so.
func missingImages(m Master) ([]Change, error) {
	policy := m.Node.Registration.ImagePullPolicy
	if m.Rootless || policy == "Never" || ignored(m, "ImagePull") {
		return nil, nil
	}
	if m.isUp() && m.runsAll() {
		return nil, nil
	}
	var changes []Change
	for _, image := range images(m.Config) {
		if m.Survey.Images[image] && policy != "Always" {
			continue
		}
		changes = append(changes, pull(image))
	}
	return changes, nil
}

func pull(image string) Change {
	return Change{Verb: "pull", What: image, do: func(ctx context.Context, s Site) error { return s.Kubelet.Pull(ctx, image) }}
}
