package phases

import (
	"crypto/x509"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/host"
)

// lies has a file lie on the machine.
func lies(path string, data []byte) func(*testing.T, *Master) {
	return func(_ *testing.T, m *Master) { m.Files[path] = host.File{Path: path, Data: data} }
}

// another is the CA of another cluster.
func another(t *testing.T) certs.Pair {
	t.Helper()
	return issue(t, certs.Spec{CommonName: "kubernetes", CA: true, Algorithm: certs.ECDSAP256, Validity: time.Hour}, nil)
}

// named has a node of that name be in the cluster.
func named(ready string) func(*testing.T, *Master) {
	return func(_ *testing.T, m *Master) {
		m.Joining.Node = &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{
			"conditions": []any{map[string]any{"type": "Ready", "status": ready}}}}}
	}
}

// confOf has a kubelet.conf with an embedded certificate of the node lie there, signed by the CA.
func confOf(node string, ca func(*testing.T, *Master) certs.Pair) func(*testing.T, *Master) {
	return func(t *testing.T, m *Master) {
		authority := ca(t, m)
		client := issue(t, certs.Spec{CommonName: "system:node:" + node, Organization: []string{"system:nodes"}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, Algorithm: certs.ECDSAP256, Validity: time.Hour}, &authority)
		conf, err := kubeconfig("embedded", m.Config, authority, client)
		if err != nil {
			t.Fatal(err)
		}
		lies("/etc/kubernetes/kubelet.conf", conf)(t, m)
	}
}

func ourCA(_ *testing.T, m *Master) certs.Pair   { return m.PKI.Pairs[clusterCA] }
func theirCA(t *testing.T, _ *Master) certs.Pair { return another(t) }
func nothing(*testing.T, *Master)                {}
func theirCertificate(t *testing.T, m *Master)   { lies(m.Join.CACertPath, another(t).CertPEM())(t, m) }
func renewedCertificate(t *testing.T, m *Master) {
	lies(m.Join.CACertPath, renewed(t, m.PKI.Pairs[clusterCA]))(t, m)
}
func joinedAndReady(t *testing.T, m *Master) { joined(t, m); named("True")(t, m) }
func anApiserverHere(_ *testing.T, m *Master) {
	m.Manifests["kube-apiserver.yaml"] = []byte("kind: Pod")
}

func TestPreflightOfAJoin(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*testing.T, *Master)
		want   []string
	}{
		"fresh":                    {nothing, nil},
		"joined":                   {joinedAndReady, nil},
		"node of that name, ready": {named("True"), []string{"[NodeAvailable] a node node-1 is in the cluster already, and ready"}},
		"node of that name, gone":  {named("Unknown"), nil},
		"conf of this node":        {confOf("node-1", ourCA), nil},
		"conf of another node":     {confOf("node-2", ourCA), []string{"[FileAvailable--etc-kubernetes-kubelet.conf] /etc/kubernetes/kubelet.conf is that of system:node:node-2"}},
		"conf of another cluster":  {confOf("node-1", theirCA), []string{"[FileAvailable--etc-kubernetes-kubelet.conf] /etc/kubernetes/kubelet.conf: the kubeconfig belongs to another cluster"}},
		"conf that is none":        {lies("/etc/kubernetes/kubelet.conf", []byte("no")), []string{"[FileAvailable--etc-kubernetes-kubelet.conf] /etc/kubernetes/kubelet.conf: "}},
		"CA of another cluster":    {theirCertificate, []string{"[FileAvailable--etc-kubernetes-pki-ca.crt] /etc/kubernetes/pki/ca.crt belongs to another cluster"}},
		"CA that is none":          {lies("/etc/kubernetes/pki/ca.crt", []byte("no")), []string{"[FileAvailable--etc-kubernetes-pki-ca.crt] "}},
		"CA of the key, renewed":   {renewedCertificate, nil},
		"a master":                 {anApiserverHere, []string{"[DirAvailable--etc-kubernetes-manifests] /etc/kubernetes/manifests/kube-apiserver.yaml is there: this machine is a master"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := preflight(freshWorker(t, func(m *Master) { tt.change(t, m) }))
			compare(t, "errors", tt.want, findings(err))
		})
	}
}
