package phases

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/internal/config"
)

// Upgrade is how a living master becomes what it is to be: of another version, or configuration, with other certificates,
// or what it was before. What changes is taken away first, the apiserver before the etcd that it needs, and comes back one
// after the other, each proved. One master of the cluster at a time is in that part.
func Upgrade() []Phase {
	return []Phase{
		{Name: "preflight", About: "find out what runs here and in the cluster, whether it may change, pull missing images",
			Check: mayChange, Want: changedImages},
		{Name: "control-plane/keep", About: "keep what runs now, for the way back", Want: keepEarlier},
		{Name: "control-plane/etcd-certs", About: "etcd's certificates, where they have expired: it takes new ones by itself", Want: etcdRenewedInPlace},
		{Name: "control-plane/kubelet", About: "the kubelet's client certificate, where it has expired", Want: kubeletIdentityAnew},
		{Name: "control-plane/snapshot", About: "a verified snapshot of etcd, before etcd or a minor version changes", Want: saveEtcd, Locked: true},
		{Name: "control-plane/stop", About: "take away what changes: the apiserver when it has drained, then etcd, which has handed over its leadership",
			Want: makeWay, Locked: true},
		{Name: "control-plane/etcd", About: "this master's etcd member", Want: changed("etcd"), Locked: true, Proof: componentProof("etcd")},
		{Name: "control-plane/controller-manager", About: "kube-controller-manager", Want: changed("kube-controller-manager"),
			Proof: componentProof("kube-controller-manager"), Alongside: true},
		{Name: "control-plane/apiserver", About: "kube-apiserver", Want: changed("kube-apiserver"), Locked: true, Proof: componentProof("kube-apiserver")},
		{Name: "control-plane/scheduler", About: "kube-scheduler", Want: changed("kube-scheduler"), Proof: componentProof("kube-scheduler")},
		{Name: "control-plane/prove", About: "look at all four once more", Proof: Proof{Attempt: proveAll}, AfterAll: true},
		{Name: "upload-config/kubeadm", About: "the ClusterConfiguration, for all masters", Objects: changedCluster, Alongside: true},
		{Name: "upload-config/kubelet", About: "the KubeletConfiguration of all nodes", Objects: changedKubelets, Alongside: true},
		{Name: "upload-config/patches", About: "the patches that were given, for when masters change again", Objects: changedPatches, Alongside: true},
		{Name: "kubeconfig", About: "admin.conf and super-admin.conf, where they are", Want: changedKubeconfigs},
		{Name: "kubelet-config", About: "the kubelet's configuration", Want: changedKubelet},
		{Name: "bootstrap-token", About: "what nodes may do that join, and who administers", Objects: changedAccess, Alongside: true},
		{Name: "addon/coredns", About: "cluster DNS, once all masters have the version", Objects: changedAddon("coredns", coreDNSObjects), Late: true, Alongside: true},
		{Name: "addon/kube-proxy", About: "kube-proxy, once all masters have the version", Objects: changedAddon("kube-proxy", kubeProxyObjects), Late: true, Alongside: true},
		{Name: "post-upgrade", About: "remember what runs now as healthy", Want: keepHealthy, AfterAll: true, Sweeps: true},
	}
}

// Living are the facts that only a master has that is changed.
type Living struct {
	// Was is the configuration as the cluster keeps it, for this master.
	Was config.Config
	// Verb is what changes it.
	Verb string
	// Unwell are the components that were not healthy when they were asked, and why.
	Unwell map[string]error
	// Kubeconfig is that by which the cluster is asked, if it is not that of this machine's administrators.
	Kubeconfig []byte
	// Back is the generation to go back to; nil where the configuration says what is wanted.
	Back *Generation
	// Earlier says that it is asked about what ran before the change.
	Earlier bool
	// Manifests are what lay here of the components when the run began, by component, and where a killed run had taken one
	// away, what lay there before. What this run itself takes away or writes is nothing to plan by.
	Manifests map[string][]byte
	// Kept says that the manifests stay what they are, but for their revisions: leafs alone change.
	Kept bool
	// Fleet are the versions of what runs in the cluster, as far as it could be asked.
	Fleet Fleet
	// Leads says that this master stores the configuration in the cluster; the others take it from there.
	Leads bool
	// elsewhere are warnings of certificates that were to be renewed and can't be here.
	elsewhere []finding
}

// componentProof is how a component is proved, wherever it comes up.
func componentProof(component string) Proof {
	attempts := map[string]func(context.Context, *Prober) error{
		"etcd": proveEtcd, "kube-apiserver": proveAPIServer, "kube-controller-manager": proveControllerManager, "kube-scheduler": proveScheduler,
	}
	return Proof{Component: component, Attempt: attempts[component]}
}

// changed wants a component as it is to be: its own leafs, and its manifest.
func changed(component string) func(Master) ([]Change, error) {
	return func(m Master) ([]Change, error) {
		if m.Living.Back != nil {
			return m.goneBack(component), nil
		}
		var changes []Change
		for _, name := range leafs(component) {
			written, err := m.leaf(name)
			if err != nil {
				return nil, err
			}
			changes = append(changes, written...)
		}
		manifest, err := m.changedManifest(component)
		return append(changes, manifest...), err
	}
}

// goneBack wants the component's files of an earlier generation.
func (m Master) goneBack(component string) []Change {
	r := m.Living.Back.Components[component]
	var changes []Change
	for _, f := range unexpired(r.host(), m.Now) {
		if f.Path == manifestPath(m, component) {
			changes = append(changes, m.run(component, f)...)
			continue
		}
		changes = append(changes, write(m, f)...)
	}
	return changes
}

// leaf wants a pair or a kubeconfig of that name.
func (m Master) leaf(name string) ([]Change, error) {
	switch name {
	case controllerManagerConf, schedulerConf:
		return kubeconfigFile(name)(m)
	}
	if m.PKI.Pairs[name].Cert == nil {
		return nil, nil
	}
	return pair(name)(m)
}

// changedManifest wants the component's manifest: as the configuration has it, or where that is not what changes, as it
// is, with the revision that its files make.
func (m Master) changedManifest(component string) ([]Change, error) {
	if component == "etcd" && !m.Living.Kept {
		return etcdManifest(m)
	}
	pod, err := m.wantedPod(component)
	if err != nil {
		return nil, err
	}
	return m.manifest(pod)
}

func (m Master) wantedPod(component string) (*corev1.Pod, error) {
	if m.Living != nil && m.Living.Kept {
		earlier := m.earlierManifest(component)
		if len(earlier) == 0 {
			return nil, fmt.Errorf("there is no %s, nor is it known what it was\nhint: tripod apply makes it by the cluster's configuration", manifestPath(m, component))
		}
		return m.earlierPod(component)
	}
	pods := map[string]func(Master) (*corev1.Pod, error){
		"etcd": etcdPod, "kube-apiserver": apiserverPod, "kube-controller-manager": controllerManagerPod, "kube-scheduler": schedulerPod,
	}
	return pods[component](m)
}

// earlierManifest is the component's when the run began; before that is known, the one on disk, or where a killed run has taken it
// away, the one that lay there.
func (m Master) earlierManifest(component string) []byte {
	if m.Living != nil && m.Living.Manifests != nil {
		return m.Living.Manifests[component]
	}
	if data, exists := m.Manifests[component+".yaml"]; exists || m.Living == nil {
		return data
	}
	g, _ := m.settled()
	return g.Components[component].manifest()
}
