package phases

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/manifests"
)

// memberOurs refuses a machine that can't become, or is not, the member of etcd's that it seems to be.
func memberOurs(m Master) []finding {
	path := m.Paths.EtcdData
	self, there := m.self()
	if m.Membership != (Membership{}) && m.Membership.Cluster != etcd.FormatID(m.etcdCluster().ID) {
		return []finding{{id: "EtcdCluster", problem: fmt.Sprintf("this master is member %s of etcd cluster %s, that to join is %s", m.Membership.Member, m.Membership.Cluster, etcd.FormatID(m.etcdCluster().ID)),
			hint: "if it is to leave its cluster, take it down first (tripod reset)"}}
	}
	if m.hasData() && !there && !m.removed() {
		return []finding{{id: pathID("DirAvailable", path), problem: path + " is not empty, and no member of this cluster's etcd is known to be here",
			hint: "look at it, and move it away if nobody needs it"}}
	}
	var found []finding
	for _, p := range m.namesakes() {
		if p.Err == nil && p.Started() {
			found = append(found, finding{id: "EtcdMember", problem: fmt.Sprintf("etcd has a living member %s at %s, and this machine is to be %s at %s", p, strings.Join(p.PeerURLs, ", "), m.Node.Registration.Name, m.peerURL()),
				hint: "give this machine another name and address, or take that one down first"})
		}
	}
	if there && self.Name != "" && self.Name != m.Node.Registration.Name {
		found = append(found, finding{id: "EtcdMember", problem: fmt.Sprintf("this master's etcd member is called %s, not %s", self.Name, m.Node.Registration.Name),
			hint: "run it with --node-name " + self.Name})
	}
	return found
}

// quorumKept refuses to touch a cluster that could lose its quorum by it. A member that another join is about to change
// does not stand in the way: its turn ends before ours begins.
func quorumKept(m Master) []finding {
	if self, there := m.self(); there && !self.Learner {
		return nil
	}
	err := m.etcdCluster().Quorum()
	for _, p := range m.namesakes() {
		if p.Err != nil && err == nil {
			err = m.etcdCluster().MayRemove(p.ID)
		}
	}
	if err == nil && len(m.etcdCluster().Alarms) > 0 {
		err = m.etcdCluster().Steady()
	}
	if err != nil {
		return []finding{{id: "EtcdQuorum", problem: err.Error()}}
	}
	var found []finding
	for _, p := range m.etcdCluster().Voters() {
		if p.Err != nil && !slices.ContainsFunc(m.namesakes(), func(n etcd.Peer) bool { return n.ID == p.ID }) {
			found = append(found, finding{id: "EtcdMember", harmless: true, problem: fmt.Sprintf("etcd member %s is dead, and etcd takes no further one beside it: %v", p, p.Err),
				hint: "bring it back, or if it is gone for good: tripod etcd member remove " + p.String()})
		}
	}
	return found
}

// endpointOutlives refuses a further master where everybody else knows the first one's address only, as kubeadm does
// (cmd/kubeadm/app/cmd/join.go).
func endpointOutlives(m Master) []finding {
	if m.Cluster.ControlPlaneEndpoint != "" {
		return nil
	}
	return []finding{{id: "ControlPlaneEndpoint", problem: "the cluster has no controlPlaneEndpoint: its nodes and kubeconfigs know the first master's own address only, and go down with it",
		hint: "give it one first: controlPlaneEndpoint in the ConfigMap kube-system/kubeadm-config, and a name or balancer that leads to all masters"}}
}

const (
	// skewRefused is how much earlier than now certificates begin: a clock that is ahead by more makes certificates that others do not take.
	skewRefused = 5 * time.Minute
	// skewDoubtful is more than the apiserver's Date, of whole seconds, and a slow answer explain.
	skewDoubtful = 10 * time.Second
)

// clocksAgree compares this machine's clock with that of the apiserver that answered.
func clocksAgree(m Master) []finding {
	skew := m.Joining.Found.Skew
	if skew.Abs() < skewDoubtful {
		return nil
	}
	way := "ahead of"
	if skew < 0 {
		way = "behind"
	}
	return []finding{{id: "ClockSkew", harmless: skew.Abs() < skewRefused,
		problem: fmt.Sprintf("this machine's clock is %s %s the apiserver's: it says %s", skew.Abs().Round(time.Second), way, m.Now.UTC().Format(time.RFC3339)),
		hint:    "set the clock, and keep it set (chrony, systemd-timesyncd)"}}
}

// configurationsAgree compares what the configuration file says of the cluster with what the cluster says of itself.
func configurationsAgree(m Master) []finding {
	mine := m.Join.Claimed
	if mine == nil {
		return nil
	}
	cluster := m.Cluster
	var found []finding
	for _, f := range []struct{ field, mine, cluster string }{
		{"kubernetesVersion", mine.KubernetesVersion, cluster.KubernetesVersion},
		{"clusterName", mine.ClusterName, cluster.ClusterName},
		{"controlPlaneEndpoint", mine.ControlPlaneEndpoint, cluster.ControlPlaneEndpoint},
		{"networking.serviceSubnet", mine.Networking.ServiceSubnet, cluster.Networking.ServiceSubnet},
		{"networking.podSubnet", mine.Networking.PodSubnet, cluster.Networking.PodSubnet},
		{"networking.dnsDomain", mine.Networking.DNSDomain, cluster.Networking.DNSDomain},
		{"apiServer.extraArgs service-account-issuer", argument(mine.APIServer.ExtraArgs, issuerFlag, ""), argument(cluster.APIServer.ExtraArgs, issuerFlag, "")},
		{"apiServer.extraArgs encryption-provider-config", argument(mine.APIServer.ExtraArgs, encryptionFlag, ""), argument(cluster.APIServer.ExtraArgs, encryptionFlag, "")},
	} {
		if f.mine != "" && f.mine != f.cluster && f.mine+":6443" != f.cluster && "v"+f.mine != f.cluster {
			found = append(found, disagreement("ClusterConfiguration", "the configuration file says "+f.field+" "+f.mine, "the cluster has "+orNone(f.cluster)))
		}
	}
	return found
}

const (
	issuerFlag     = "service-account-issuer"
	encryptionFlag = "encryption-provider-config"
)

func disagreement(id, mine, theirs string) finding {
	return finding{id: id, problem: mine + ", " + theirs, hint: "what all masters have alike can not be changed by one that joins: leave it out"}
}

// mastersAgree compares this master's apiserver with those that run, patches and all: where they differ in what the
// cluster's objects mean, one would not understand what the other has written.
func mastersAgree(m Master) []finding {
	mine, err := apiserverPod(m)
	if err != nil {
		return nil // the phase that wants it tells why
	}
	own := manifests.CommandFlags(mine)
	var found []finding
	for _, other := range m.Joining.masters {
		if other.Labels["component"] != "kube-apiserver" || other.Spec.NodeName == m.Node.Registration.Name {
			continue
		}
		theirs := manifests.CommandFlags(&other)
		for _, flag := range []string{"service-cluster-ip-range", issuerFlag, encryptionFlag} {
			if own[flag] != theirs[flag] {
				found = append(found, disagreement("MastersAgree", fmt.Sprintf("the apiserver here would have --%s=%s", flag, orNone(own[flag])),
					fmt.Sprintf("that on %s has %s", other.Spec.NodeName, orNone(theirs[flag]))))
			}
		}
		found = append(found, versionsAgree(m, other)...)
	}
	return found
}

// versionsAgree finds a cluster that is between two versions.
func versionsAgree(m Master, other corev1.Pod) []finding {
	of, asked := m.Joining.versions[other.Spec.NodeName]
	if !asked {
		of = taggedVersion(other, "kube-apiserver")
	}
	v, known := of.Value()
	switch {
	case of.Absent():
		return nil
	case !known:
		return []finding{{id: "MastersAgree", problem: fmt.Sprintf("the version of the apiserver on %s is not known: %v", other.Spec.NodeName, of.Err()),
			hint: "name a version beside the digest of its image"}}
	case v == m.Version:
		return nil
	}
	return []finding{{id: "MastersAgree", problem: fmt.Sprintf("the cluster is configured for %s, and the apiserver on %s is %s", m.Version, other.Spec.NodeName, v),
		hint: "an upgrade has begun: finish it first"}}
}
