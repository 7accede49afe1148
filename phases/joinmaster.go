package phases

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"
)

// JoinMaster is how a further master joins. etcd comes before the apiserver that needs it: as a learner, which gets its vote
// when its log has caught up. Only that part is done by one master at a time; all that takes long is done before
// and after it, by as many at once as there are.
func JoinMaster() []Phase {
	return []Phase{
		{Name: "preflight", About: "find the cluster and its etcd members, look at everything that could get in the way, pull missing images",
			Check: preflight, Want: missingImages},
		{Name: "control-plane-prepare/download-certs", About: "what masters share: unsealed, or there already", Want: sharedFiles},
		{Name: "control-plane-prepare/certs", About: "this master's own certificates", Want: ownCertificates},
		{Name: "control-plane-prepare/kubeconfig", About: "admin.conf, controller-manager.conf and scheduler.conf", Want: ownKubeconfigs},
		{Name: "kubelet-start", About: "the kubelet's certificate and configuration, and the kubelet", Want: masterKubelet},
		{Name: "etcd-join/room", About: "take out what stands in the place of this master's member: one that died, a learner left behind",
			Want: makeRoom, Locked: true},
		{Name: "etcd-join/learner", About: "this master's etcd member, as a learner", Want: joinAsLearner, Locked: true,
			Proof: Proof{Component: "etcd", Attempt: proveLearner, Nudge: startAgain, Patience: muteFor}},
		{Name: "etcd-join/promote", About: "its vote, once its log has caught up", Want: promote, Locked: true,
			Proof: Proof{Component: "etcd", Attempt: proveVoter}},
		{Name: "control-plane/controller-manager", About: "kube-controller-manager", Want: controllerManagerManifest,
			Proof: Proof{Component: "kube-controller-manager", Attempt: proveControllerManager}, Alongside: true},
		{Name: "control-plane/apiserver", About: "kube-apiserver", Want: rejoiningAPIServer,
			Proof: Proof{Component: "kube-apiserver", Attempt: proveAPIServer}},
		{Name: "control-plane-join/mark-control-plane", About: "labels and taints of this node", Want: markControlPlane, Alongside: true},
		{Name: "control-plane-join/patches", About: "this master's patches, for when it changes", Objects: ownPatches, Alongside: true},
		{Name: "control-plane/scheduler", About: "kube-scheduler", Want: schedulerManifest,
			Proof: Proof{Component: "kube-scheduler", Attempt: proveScheduler}},
		{Name: proveEverything, About: "look at all four and at the kubelet once more",
			Proof: Proof{Attempt: proveMaster}, AfterAll: true, Sweeps: true},
		{Name: "remember", About: "keep what runs here, for the way back from later changes", Want: keepHealthy},
	}
}

// ownCertificates wants the certificates that are this master's alone.
func ownCertificates(m Master) ([]Change, error) {
	var changes []Change
	for _, r := range pkiRequests(m.Config) {
		if r.Issuer == "" || r.Name == kubeletServing || filepath.Ext(r.Name) == ".conf" {
			continue
		}
		written, err := pair(r.Name)(m)
		if err != nil {
			return nil, err
		}
		changes = append(changes, written...)
	}
	return changes, nil
}

// ownKubeconfigs wants those that a further master has.
func ownKubeconfigs(m Master) ([]Change, error) {
	var changes []Change
	for _, name := range []string{adminConf, controllerManagerConf, schedulerConf} {
		written, err := kubeconfigFile(name)(m)
		if err != nil {
			return nil, err
		}
		changes = append(changes, written...)
	}
	return changes, nil
}

// masterKubelet wants the kubelet with its certificate, signed here where the CA's key is. Where it is not the cluster
// is asked for it, as a worker does.
func masterKubelet(m Master) ([]Change, error) {
	if m.Rootless {
		return kubeletStart(m)
	}
	if m.bootstraps() {
		return joinKubelet(m)
	}
	identity, err := kubeletIdentity(m)
	if err != nil {
		return nil, err
	}
	start, err := kubeletStart(m)
	return slices.Concat(identity, start), err
}

// bootstraps says whether the kubelet's certificate has to be asked for: nobody can sign it here.
func (m Master) bootstraps() bool {
	return joinsAsWorker(m.Config) || joinsAsMaster(m.Config) && m.PKI.Pairs[clusterCA].Key == nil
}

// proveMaster asks all four, and the kubelet.
func proveMaster(ctx context.Context, p *Prober) error {
	if p.master.Rootless {
		return proveAll(ctx, p)
	}
	return errors.Join(proveAll(ctx, p), p.alive(ctx))
}

// kubeletWithin is the time for the kubelet's health.
func kubeletWithin(m Master) time.Duration { return m.KubeletHealth }
