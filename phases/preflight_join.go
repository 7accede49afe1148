package phases

import (
	"crypto/x509"
	"fmt"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/manifests"
)

// kubeletConfOurs refuses the kubelet.conf of another cluster or another node.
func kubeletConfOurs(m Master) []finding {
	path := kubeletConfPath(m.Config)
	f := finding{id: pathID("FileAvailable", path), hint: "if this machine is to leave that cluster, take the node down first (tripod reset)"}
	old, exists := m.Files[path]
	if !exists {
		return nil
	}
	k, err := readKubeconfig(old.Data)
	if err == nil {
		err = k.sameCluster(m.PKI.Pairs[clusterCA])
	}
	if err != nil {
		f.problem, f.hint = fmt.Sprintf("%s: %v", path, err), ""
		return []finding{f}
	}
	client := k.client
	if client.Cert == nil {
		client, _ = certs.ParseFile(m.Files[k.clientFile].Data)
	}
	if client.Cert == nil || client.Cert.Subject.CommonName == nodeUser(m.Config) {
		return nil
	}
	f.problem = fmt.Sprintf("%s is that of %s, and this node is %s", path, client.Cert.Subject.CommonName, m.Node.Registration.Name)
	return []finding{f}
}

// caOurs refuses the CA of another cluster. Another certificate of the same key is replaced.
func caOurs(m Master) []finding {
	path := m.Join.CACertPath
	old, exists := m.Files[path]
	if !exists {
		return nil
	}
	f := finding{id: pathID("FileAvailable", path), hint: "move it away if nobody needs it"}
	here, err := certs.Parse(old.Data, nil)
	if err != nil {
		f.problem = fmt.Sprintf("%s: %v", path, err)
		return []finding{f}
	}
	same := slices.ContainsFunc(here.Chain, func(cert *x509.Certificate) bool {
		return connection{ca: []*x509.Certificate{cert}}.sameCluster(m.PKI.Pairs[clusterCA]) == nil
	})
	if same {
		return nil
	}
	f.problem = fmt.Sprintf("%s belongs to another cluster: its CA is %s, that to join has %s", path, certs.Fingerprint(here.Cert.PublicKey), clusterID(m))
	return []finding{f}
}

// noMaster refuses a machine whose kubelet would start a control plane.
func noMaster(m Master) []finding {
	for _, component := range manifests.Components() {
		if _, exists := m.Manifests[component+".yaml"]; exists {
			return []finding{{id: pathID("DirAvailable", m.Paths.Manifests),
				problem: filepath.Join(m.Paths.Manifests, component+".yaml") + " is there: this machine is a master",
				hint:    "if nobody needs that control plane any more, take it down first (tripod reset)"}}
		}
	}
	return nil
}

// nodeFree refuses the name of another machine that is up.
func nodeFree(m Master) []finding {
	if m.Joining.Node == nil || m.Joining.Client.Cert != nil || !nodeReady(m.Joining.Node) {
		return nil
	}
	name := m.Node.Registration.Name
	return []finding{{id: "NodeAvailable", problem: fmt.Sprintf("a node %s is in the cluster already, and ready", name),
		hint: "give this one another name with --node-name, or remove that one: kubectl delete node " + name}}
}

func nodeReady(node *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(node.Object, "status", "conditions")
	return slices.ContainsFunc(conditions, func(c any) bool {
		condition, _ := c.(map[string]any)
		return condition["type"] == "Ready" && condition["status"] == "True"
	})
}
