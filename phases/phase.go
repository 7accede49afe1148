// Package phases brings up a master: it reads the facts, plans as a pure function of
// configuration and facts, applies the plan, and proves every component healthy before
// the next one needs it. One file per component holds its values, its manifest and its
// proof, top to bottom. Only Apply writes; nothing here prints or exits.
package phases

import (
	"context"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A Phase is one step towards a running control plane. Its name is kubeadm's
// (cmd/kubeadm/app/cmd/init.go), so that --skip-phases and `init phase` mean the same.
type Phase struct {
	Name, About string
	// Check looks for what makes the phase impossible, before anything is written. Nil if there is nothing to check.
	Check func(Master) (warnings []string, err error)
	// Want is what the phase changes; pure. Nil if it changes nothing.
	Want func(Master) ([]Change, error)
	// Objects are what the phase wants in the cluster's API; pure, and asked before Facts.Objects is known, which is
	// read by their names. Nil if it wants none. The plan makes changes of those that are not yet what they should be.
	Objects func(Master) ([]*unstructured.Unstructured, error)
	// Proof is what has to be healthy when the phase is done. The zero Proof needs nothing.
	Proof Proof
	// Locked has the phase done by one master of the cluster at a time: it is planned anew under a lock that etcd keeps,
	// by what etcd's members say then. Locked phases that follow each other keep the lock.
	Locked bool
	// Late has the phase planned anew, by what the cluster says when its time has come. So is any phase that needs what was
	// not known when the plan was made.
	Late bool
	// Tokens has the phase planned by the cluster's bootstrap tokens.
	Tokens bool
	// Once has what the phase changes done by the init that brings the cluster up, and by no other: there it is its operators'.
	Once bool
	// Alongside lets the following phases begin at once, before this one has changed or proved anything.
	Alongside bool
	// AfterAll has the phase wait until all that went alongside is done.
	AfterAll bool
	// Sweeps removes what killed runs left staged, once the phase is done: nobody needs it any more.
	Sweeps bool
}

// A Proof says that one component is healthy.
type Proof struct {
	// Component is the static pod, as Runner knows it; "" for all of them.
	Component string `json:"component,omitempty"`
	// Attempt asks once: nil, or the reason why not.
	Attempt func(context.Context, *Prober) error `json:"-"`
	// Of is what is healthy then, for people; "" is the component, or the control plane.
	Of string `json:"of,omitempty"`
	// Within is the time for it; nil is that of control-plane components.
	Within func(Master) time.Duration `json:"-"`
	// Nudge helps along what has given the same reason for Patience, once; what it did is told, "" is nothing.
	Nudge    func(ctx context.Context, w *waiter, reason error) (done string, err error) `json:"-"`
	Patience time.Duration                                                               `json:"-"`
	// Explain adds to the last reason what explains it; nil adds nothing.
	Explain func(error) error `json:"-"`
}

// proveEverything is the name of the phase that looks at everything once more.
const proveEverything = "wait-control-plane"

// Init is how a first master comes up. The order is not kubeadm's: the kubelet starts before
// the manifests come, each as soon as what it needs is there, so that nothing crashes on the
// way. The controller-manager retries until the apiserver is there, so it starts with it; a
// scheduler that comes too early backs off, so it waits. What the cluster's API is to hold goes there while the
// scheduler starts.
func Init() []Phase {
	return []Phase{
		{Name: "preflight", About: "look at everything that could get in the way, pull missing images",
			Check: preflight, Want: missingImages},
		{Name: "certs/ca", About: "the cluster's certificate authority", Want: pair("ca")},
		{Name: "certs/apiserver", About: "serving certificate of the apiserver", Want: pair("apiserver")},
		{Name: "certs/apiserver-kubelet-client", About: "the apiserver as a client of kubelets", Want: pair("apiserver-kubelet-client")},
		{Name: "certs/front-proxy-ca", About: "certificate authority of aggregated apiservers", Want: pair("front-proxy-ca")},
		{Name: "certs/front-proxy-client", About: "the apiserver as a client of aggregated apiservers", Want: pair("front-proxy-client")},
		{Name: "certs/etcd-ca", About: "etcd's certificate authority", Want: pair("etcd/ca")},
		{Name: "certs/etcd-server", About: "serving certificate of etcd", Want: pair("etcd/server")},
		{Name: "certs/etcd-peer", About: "etcd among its peers", Want: pair("etcd/peer")},
		{Name: "certs/etcd-healthcheck-client", About: "client certificate for etcd's proof", Want: pair("etcd/healthcheck-client")},
		{Name: "certs/apiserver-etcd-client", About: "the apiserver as a client of etcd", Want: pair("apiserver-etcd-client")},
		{Name: "certs/controller-manager", About: "serving certificate of the controller-manager", Want: pair("kube-controller-manager")},
		{Name: "certs/scheduler", About: "serving certificate of the scheduler", Want: pair("kube-scheduler")},
		{Name: "certs/sa", About: "key pair that signs service account tokens", Want: serviceAccountKey},
		{Name: "kubeconfig/admin", About: "admin.conf for the administrators", Want: kubeconfigFile("admin.conf")},
		{Name: "kubeconfig/super-admin", About: "super-admin.conf, which no RBAC rule can lock out", Want: kubeconfigFile("super-admin.conf")},
		{Name: "kubeconfig/kubelet", About: "kubelet.conf and the kubelet's client certificate", Want: kubeletIdentity},
		{Name: "kubeconfig/controller-manager", About: "controller-manager.conf", Want: kubeconfigFile("controller-manager.conf")},
		{Name: "kubeconfig/scheduler", About: "scheduler.conf", Want: kubeconfigFile("scheduler.conf")},
		{Name: "kubelet-start", About: "the kubelet's configuration, and the kubelet", Want: kubeletStart},
		{Name: "etcd/local", About: "this master's etcd member", Want: etcdManifest,
			Proof: Proof{Component: "etcd", Attempt: proveEtcd}},
		{Name: "etcd/member", About: "remember which member this master is, whatever becomes of its data", Want: rememberMember, Alongside: true},
		{Name: "control-plane/controller-manager", About: "kube-controller-manager", Want: controllerManagerManifest,
			Proof: Proof{Component: "kube-controller-manager", Attempt: proveControllerManager}, Alongside: true},
		{Name: "control-plane/apiserver", About: "kube-apiserver", Want: apiserverManifest,
			Proof: Proof{Component: "kube-apiserver", Attempt: proveAPIServer}},
		{Name: "upload-config/kubelet", About: "the KubeletConfiguration of all nodes", Objects: kubeletConfig, Alongside: true},
		{Name: "upload-config/patches", About: "this master's patches, for when it changes", Objects: ownPatches, Alongside: true},
		{Name: "upload-certs", About: "the authorities' keys, sealed, for masters that join (with --upload-certs)",
			Want: uploadCerts, Objects: certsAccess, Alongside: true},
		{Name: "bootstrap-token", About: "what nodes join by: tokens, and cluster-info signed with them", Objects: bootstrapTokens, Tokens: true, Once: true, Alongside: true},
		{Name: "addon/coredns", About: "cluster DNS", Objects: onNodes(coreDNSObjects), Once: true, Alongside: true},
		{Name: "addon/kube-proxy", About: "kube-proxy on every node", Objects: onNodes(kubeProxyObjects), Once: true, Alongside: true},
		{Name: "control-plane/scheduler", About: "kube-scheduler", Want: schedulerManifest,
			Proof: Proof{Component: "kube-scheduler", Attempt: proveScheduler}},
		{Name: "mark-control-plane", About: "labels and taints of this node", Want: markControlPlane, Once: true},
		{Name: "kubelet-finalize/enable-client-cert-rotation", About: "nothing: the kubelet rotates its certificate from its first start on"},
		{Name: proveEverything, About: "let the administrators in, look at all four once more", Objects: access,
			Proof: Proof{Attempt: proveAll}, Once: true, AfterAll: true, Sweeps: true},
		{Name: "upload-config/kubeadm", About: "the ClusterConfiguration, for those who join: with it the cluster counts as up", Objects: kubeadmConfig},
		{Name: "remember", About: "keep what runs here, for the way back from later changes", Want: keepHealthy},
		{Name: "show-join-command", About: "print how nodes join"},
	}
}

// Group is the part of a phase's name before its slash: certs/ca belongs to certs.
func (p Phase) Group() string {
	group, _, _ := strings.Cut(p.Name, "/")
	return group
}

// Is says whether name, a phase or a group of phases (certs, or as kubeadm has it certs/all), means p.
func (p Phase) Is(name string) bool {
	return name == p.Name || name == p.Group() || name == p.Group()+"/all"
}

// Without are the phases that skip does not name. The second result holds names that mean no phase.
func Without(all []Phase, skip []string) (rest []Phase, unknown []string) {
	for _, name := range skip {
		if !slices.ContainsFunc(all, func(p Phase) bool { return p.Is(name) }) {
			unknown = append(unknown, name)
		}
	}
	rest = slices.DeleteFunc(slices.Clone(all), func(p Phase) bool {
		return slices.ContainsFunc(skip, p.Is)
	})
	return rest, unknown
}

// Only are the phases that name means: one phase, or a group. Who asks for them by name means to have them done.
func Only(all []Phase, name string) []Phase {
	chosen := slices.DeleteFunc(slices.Clone(all), func(p Phase) bool { return !p.Is(name) })
	for i := range chosen {
		chosen[i].Once = false
	}
	return chosen
}
