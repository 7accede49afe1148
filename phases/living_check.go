package phases

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/etcd"
)

// mayChange judges whether this master may change, before anything is touched: every finding at once.
func mayChange(m Master) ([]string, error) {
	found := slices.Concat(privileged(m), nodeName(m), clock(m), diskSpace(m), writable(m), strays(m))
	if !m.Rootless {
		found = append(found, containerRuntime(m)...)
		found = append(found, staticPodsHere(m)...)
	}
	if m.Survey.Systemd {
		found = append(found, kubeletService(m)...)
	}
	if m.isMaster() {
		found = slices.Concat(found, runnerAlive(m), sourcesThere(m), controllersRun(m), dataKept(m), quorumAfter(m), etcdPath(m), snapshotRoom(m), versionPolicy(m),
			wellBefore(m), mastersReady(m), irreversible(m), handEdits(m), strangers(m), m.Living.elsewhere)
	}
	return m.judge(found)
}

// quorumAfter refuses to stop this master's member where the others could not do without.
func quorumAfter(m Master) []finding {
	stops, err := m.stopsEtcd()
	if err != nil || !stops || m.Etcd.Err() != nil && m.etcdExpired() {
		return nil // an etcd whose certificate has expired may answer once it has another; it is asked before it stops, too
	}
	refused := m.mayStop()
	if f, is := refused.(*PreflightError); is {
		if f, is := f.Err.(finding); is {
			return []finding{f}
		}
	}
	return nil
}

// stopsEtcd says whether the plan stops this master's member.
func (m Master) stopsEtcd() (bool, error) {
	changes, err := changed("etcd")(m)
	return slices.ContainsFunc(changes, func(c Change) bool { return c.pod != "" }), err
}

// etcdPath refuses a way from one version of etcd to another that its data do not take.
func etcdPath(m Master) []finding {
	self, there := m.self()
	c, err := m.wantedContainer("etcd")
	target, ok := imageVersion(c.Image)
	runs := cmp.Or(self.Version, m.etcdHere())
	if err != nil || !there || runs == "" || !ok || m.Living.Kept {
		return nil
	}
	target.Pre = ""
	if err := etcd.Path(runs, target.String(), self.StorageVersion); err != nil {
		return []finding{{id: "EtcdVersion", problem: err.Error()}}
	}
	return nil
}

// etcdHere is etcd's version by the manifest here, as long as the member itself does not tell it; "" where that does not, either.
func (m Master) etcdHere() string {
	v, known := m.runs("etcd")
	if !known {
		return ""
	}
	v.Pre = ""
	return v.String()
}

// wellBefore tells what is not healthy before anything is changed: a change is no cure for all, but for some.
func wellBefore(m Master) []finding {
	var found []finding
	sick := maps.Clone(m.Living.Unwell)
	maps.DeleteFunc(sick, func(component string, _ error) bool { return m.inHand(component) })
	for _, cause := range unwellCauses(sick) {
		found = append(found, finding{id: "Unhealthy", harmless: true, problem: "before the change is not healthy: " + cause})
	}
	return found
}

// inHand says that a killed run has replaced the component or taken it away, or what it needs: that is no illness of what ran
// before the change, which this run goes on with.
func (m Master) inHand(component string) bool {
	known, _ := m.settled()
	if m.newest().Verdict != UnderWay {
		return false
	}
	for ; component != ""; component = neededBy(component) {
		was, kept := known.Components[component]
		if now, there := m.revision(component); kept && (!there || !now.same(was)) {
			return true
		}
	}
	return false
}

// mastersReady wants all masters to be well: one that changes is away for a while.
func mastersReady(m Master) []finding {
	var found []finding
	for node, why := range m.Living.Fleet.Unready {
		if node == m.Node.Registration.Name {
			continue
		}
		found = append(found, finding{id: "ControlPlaneNodesReady", harmless: m.Living.Kept, problem: fmt.Sprintf("master %s is not Ready: %s", node, why),
			hint: "bring it back first; where it is gone for good, kubectl delete node " + node})
	}
	return found
}

// versionPolicy refuses what Kubernetes does not support.
func versionPolicy(m Master) []finding {
	if m.Living.Kept || m.Living.Back != nil {
		return nil
	}
	from, known := m.runs("kube-apiserver")
	if !known {
		from = m.Living.Was.Version
	}
	policy := config.Policy{From: from, To: m.Version, Components: m.Living.Fleet.Components, Kubelets: m.Living.Fleet.Kubelets,
		Force: m.Upgrade.Force, AllowExperimental: m.Upgrade.AllowExperimental, AllowRC: m.Upgrade.AllowRC}
	refusals, warnings := policy.Check()
	found := m.untold(from)
	for _, err := range refusals {
		found = append(found, finding{id: "KubernetesVersion", problem: err.Error()})
	}
	for _, w := range warnings {
		found = append(found, finding{id: "KubernetesVersion", harmless: true, problem: w})
	}
	return found
}

func confPath(c config.Config, name string) string { return filepath.Join(c.Paths.Kubernetes, name) }

// runnerAlive wants whoever runs the pods to be there: without it what is taken away does not come back. A kubelet that has
// ended as its certificate has expired gets another one first.
func runnerAlive(m Master) []finding {
	identity, err := kubeletIdentityAnew(m)
	if m.Alive || err != nil || len(identity) > 0 {
		return nil
	}
	return []finding{{id: "Kubelet", problem: "whoever runs the static pods here (the kubelet, in a sandbox its agent) does not answer", hint: "start it: systemctl restart kubelet; its log says why it has ended"}}
}

// irreversible tells what no manifest takes back.
func irreversible(m Master) []finding {
	var found []finding
	say := func(id, problem, hint string) {
		found = append(found, finding{id: id, harmless: true, problem: problem, hint: hint})
	}
	self, _ := m.self()
	runs, known := m.runs("kube-apiserver")
	c, err := m.wantedContainer("etcd")
	if from, to, both := minors(self.Version, c.Image); err == nil && both && from != to {
		say("EtcdMinor", fmt.Sprintf("etcd %s becomes %s: its data are stored in another way then, which no rollback takes back", from, to), "the snapshot that is taken before does: etcdutl snapshot restore")
	}
	if known && runs.Minor != m.Version.Minor && !m.Living.Kept {
		say("MinorVersion", fmt.Sprintf("%s and %s may store objects in versions that the other does not know: after a rollback those are not seen", runs.Tag(), m.Version.Tag()), "the snapshot that is taken before has none of them")
	}
	return found
}

// minors are the minor versions of a release and of an image.
func minors(release, image string) (from, to string, both bool) {
	f, err := config.ParseVersion(release)
	t, ok := imageVersion(image)
	return fmt.Sprintf("%d.%d", f.Major, f.Minor), fmt.Sprintf("%d.%d", t.Major, t.Minor), err == nil && ok
}
