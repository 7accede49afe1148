package phases

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// A cluster that is up is its operators'. init brings one up, and goes on with what a killed init has left; on a master of one
// that is up already it adds what is missing on the machine, and changes nothing that is there. A cluster counts as up when
// kubeadm-config is in it, which init writes when all else is done.

// Beginning are the facts that only a machine has that is to be a first master.
type Beginning struct {
	// Up is by what the cluster of this machine is known to be up; absent where init has not come to its end.
	Up Known[string]
}

// kept is what the cluster of this machine keeps as its configuration.
type kept struct {
	up               Known[string]
	cluster, kubelet []byte
	patches          map[string]string
}

// GatherInit reads the facts of a machine that is to be a first master. Where its cluster is up the Config that comes back is
// the one that this keeps, and what was given and differs from it is an InputError. tell gets the reasons why the cluster is
// waited for.
func GatherInit(ctx context.Context, s Site, c config.Config, tell func(string)) (Master, error) {
	m := Master{Config: c, Facts: Facts{Rootless: s.Kubelet == nil}}
	if err := m.readHistory(s.Host); err != nil {
		return m, err
	}
	if err := m.read(s.Host, c); err != nil {
		return m, err
	}
	k, err := m.readKept(ctx, s, tell)
	if err != nil {
		return m, err
	}
	if _, up := k.up.Value(); up && len(k.cluster) > 0 {
		if c, err = m.asKept(k); err != nil {
			return m, err
		}
		m.expectHere(s, c)
	}
	facts, err := gather(ctx, s, c, Facts{Rootless: m.Rootless, Beginning: &Beginning{Up: k.up}, KeptPatches: k.patches})
	return Master{Config: c, Facts: facts}, err
}

// readKept asks the disk, and the cluster. Where the disk does not know and an apiserver runs, it is waited for.
func (m Master) readKept(ctx context.Context, s Site, tell func(string)) (kept, error) {
	if err := fitAlone(m, filesAlone()...); err != nil {
		return kept{up: Unknown[string](err)}, nil // it may be why nobody would answer; the preflight checks tell it with all else
	}
	here, err := m.keptHere(s.Host)
	if err != nil || len(m.Manifests) == 0 {
		return here, err
	}
	within, patiently := firstAsk, false
	if here.up.Err() != nil {
		pod, err := s.Runner.Pod(ctx, "kube-apiserver")
		if patiently = err == nil && pod.State == host.Started; patiently {
			within = m.APICall
		}
	}
	asking, stop := context.WithTimeout(ctx, within)
	defer stop()
	var there kept
	m.Living = &Living{} // it is asked as a living one is
	err = m.throughAPI(asking, patiently, eachOnce(tell), func(ctx context.Context, client *cluster.Client) (err error) {
		there, err = m.readKeptThere(ctx, client)
		return err
	})
	switch {
	case ctx.Err() != nil:
		return here, context.Cause(ctx)
	case err == nil:
		return there, nil
	case here.up.Err() != nil && isNotThere(err):
		here.up = Absent[string]()
	case here.up.Err() != nil:
		here.up = Unknown[string](err)
	}
	return here, nil
}

// keptHere is what this machine knows by itself. By the journal of an init whose apiserver was never proved nobody can have
// written anything.
func (m Master) keptHere(h *host.Host) (kept, error) {
	proved, err := m.apiserverProved(h)
	g, whole := m.settled()
	switch {
	case err != nil:
		return kept{}, err
	case whole:
		return kept{up: There(g.String()), cluster: []byte(g.Cluster), kubelet: []byte(g.Kubelet), patches: g.Patches}, nil
	case etcdHere(m.Manifests["etcd.yaml"]).Existing:
		return kept{up: There("by its manifest, etcd has joined others")}, nil
	case len(m.Manifests) == 0, m.Journaled && !proved:
		return kept{up: Absent[string]()}, nil
	}
	return kept{}, nil
}

// apiserverProved says whether an apiserver was ever healthy here, by the journal.
func (m Master) apiserverProved(h *host.Host) (bool, error) {
	entries, err := h.ReadJournal(journalPath(m.Config))
	for _, e := range entries {
		if e.Phase == "control-plane/apiserver" && e.Status == string(Proved) {
			return true, nil
		}
	}
	return false, err
}

// readKeptThere reads what the cluster keeps.
func (m Master) readKeptThere(ctx context.Context, client *cluster.Client) (kept, error) {
	live, err := client.Get(ctx, clusterConfig())
	if err != nil {
		return kept{}, err
	}
	k := kept{up: There(objectKey(live)), cluster: data(live, "ClusterConfiguration")}
	kubelet, err := client.Get(ctx, cluster.ConfigMap("kube-system", "kubelet-config"))
	switch {
	case err == nil:
		k.kubelet = data(kubelet, "kubelet")
	case !isNotThere(err):
		return k, err
	}
	k.patches, err = readKeptPatches(ctx, client, m.Node.Registration.Name)
	return k, err
}

// clusterConfig names the ConfigMap that says of a cluster that it is up.
func clusterConfig() *unstructured.Unstructured {
	return cluster.ConfigMap("kube-system", "kubeadm-config")
}

// asKept is the configuration as the cluster, and this master's manifests, have it, if what was given agrees with it.
func (m Master) asKept(k kept) (config.Config, error) {
	up, _ := k.up.Value()
	now := m
	now.Living = &Living{} // a manifest that was taken away is remembered
	here, err := now.here()
	if err != nil {
		return m.Config, err
	}
	if !here.Advertise.IsValid() {
		here.Advertise, here.Loopback = m.Advertise, m.Loopback
	}
	if now.Config, err = now.OfLiving(k.cluster, k.kubelet, here); err != nil {
		return m.Config, fmt.Errorf("what this cluster keeps (%s): %w", up, err)
	}
	now.Paths.Binaries = m.Paths.Binaries
	if errs := m.differences(now, k); errs != nil {
		return m.Config, &InputError{fmt.Errorf("this machine is a master of a cluster that is up (%s), and that is not what was given. Nothing was changed: %w\n"+
			"hint: what a cluster has is changed by tripod upgrade apply VERSION, and by tripod apply -f FILE or --patches DIR", up, errs)}
	}
	return now.Config, nil
}

// differences name what was given and is not what the master now is.
func (m Master) differences(now Master, k kept) *multierror.Error {
	var errs *multierror.Error
	for _, difference := range m.Differences(now.Config) {
		errs = multierror.Append(errs, difference)
	}
	runs, known := now.runs("kube-apiserver")
	if known && m.Given.Gives("kubernetesVersion") && m.Version.Compare(now.Version) == 0 && m.Version.Compare(runs) != 0 {
		errs = multierror.Append(errs, fmt.Errorf("kubernetesVersion: the apiserver here has %s, given %s (tripod upgrade node)", runs.Tag(), m.Version.Tag()))
	}
	if m.Node.Patches != nil && m.Node.Patches.Directory != "" && !maps.EqualFunc(m.PatchTexts, k.patches, sameText) {
		errs = multierror.Append(errs, fmt.Errorf("patches: those of %s are not those that this master has", m.Node.Patches.Directory))
	}
	return errs
}

func sameText(a, b string) bool { return strings.TrimSpace(a) == strings.TrimSpace(b) }

// expectHere has the kubelet know the images of what runs here.
func (m Master) expectHere(s Site, c config.Config) {
	if s.Kubelet == nil {
		return
	}
	images := map[string]string{}
	for _, component := range manifests.Components() {
		images[component] = cmp.Or(manifests.Images(m.Manifests[component+".yaml"])[component], c.Image(component))
	}
	s.Kubelet.Expect(images, nil)
}

// isUp says that the cluster of this machine is known to be up.
func (m Master) isUp() bool {
	if m.Beginning == nil {
		return false
	}
	_, up := m.Beginning.Up.Value()
	return up
}

// runsAll says that no component lacks its manifest.
func (m Master) runsAll() bool {
	return !slices.ContainsFunc(manifests.Components(), func(component string) bool {
		_, there := m.Manifests[component+".yaml"]
		return !there
	})
}

// mayBeUp is why it is not known whether the cluster is up; nil if that is known, or does not matter.
func (m Master) mayBeUp() error {
	if m.Beginning == nil {
		return nil
	}
	return m.Beginning.Up.Err()
}

// learning is the master with what the cluster says of whether it is up.
func (m Master) learning(ctx context.Context, client *cluster.Client) Master {
	if m.Beginning == nil || m.isUp() {
		return m
	}
	b := *m.Beginning
	switch seen := readObject(ctx, client, clusterConfig()); {
	case seen.Err() != nil:
		b.Up = Unknown[string](seen.Err())
	case seen.Absent():
		b.Up = Absent[string]()
	default:
		b.Up = There(objectKey(clusterConfig()))
	}
	m.Beginning = &b
	return m
}

// manifestBefore is what once ran here of a component whose manifest is gone; nil where that is not what to go by.
func (m Master) manifestBefore(component string) []byte {
	if _, there := m.Manifests[component+".yaml"]; there || !m.isUp() {
		return nil
	}
	g, _ := m.settled()
	return g.Components[component].manifest()
}

// familiesAgree refuses the defaults where they do not go together, as on a machine that has IPv6 alone.
func familiesAgree(m Master) []finding {
	if !m.FamiliesDiffer() {
		return nil
	}
	return []finding{{id: "IPFamily", problem: fmt.Sprintf("this machine's address %s is not of the IP family of the service subnet %s", m.Advertise.Addr(), m.Services[0]),
		hint: "give a subnet of its family with --service-cidr, fd00:10:96::/112 for one, or another address with --apiserver-advertise-address"}}
}

// unfinished refuses to take what a change has begun for what was there before.
func unfinished(m Master) []finding {
	g := m.newest()
	if g.Verdict != UnderWay {
		return nil
	}
	return []finding{{id: "Unfinished", problem: g.String() + " was begun on this master and has not come to its end", hint: "run that again, or tripod rollback"}}
}
