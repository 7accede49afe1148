package e2e

import (
	"os"
	"strings"
	"testing"

	"tripod.dev/tripod/e2e/lab"
)

// otherwise is a first master that is otherwise in all that can be: its name is not its host name, its port, its directories
// and its kubelet's healthz not the usual ones.
const otherwise = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration: {name: cp-1}
localAPIEndpoint: {bindPort: 7443}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: ` + lab.Default + `
certificatesDir: /var/pki
etcd: {local: {dataDir: /var/lib/etcd/data}}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
healthzPort: 0
`

// What changes a master goes by what it is, whatever it is called, and wherever its things are.
func TestMasterOtherwise(t *testing.T) {
	t.Parallel()
	n := newNode(t, lab.Machine{})
	for path, text := range map[string]string{"/var/master.yaml": otherwise,
		"/var/more.yaml": "{apiVersion: kubeadm.k8s.io/v1beta4, kind: ClusterConfiguration, scheduler: {extraArgs: [{name: v, value: \"3\"}]}}"} {
		if err := os.WriteFile(n.Path(path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	must(t)(n.Run(t.Context(), "tripod", "init", "--config=/var/master.yaml", lab.Ignored))
	writeConfigMap(t, n.Kubectl, "kept")
	t.Log(must(t)(n.Run(t.Context(), "tripod", "certs", "renew", "scheduler.conf")))
	t.Log(must(t)(n.Run(t.Context(), "tripod", "apply", "-f", "/var/more.yaml", "--yes", ignored)))
	wantFlags(t, n, map[string]string{"kube-scheduler": "--v=3"})
	if out := must(t)(n.Run(t.Context(), "tripod", "rollback", "--diff", ignored)); !strings.Contains(out, "-    - --v=3") {
		t.Error(out)
	}
	wantSays(t, must(t)(n.Run(t.Context(), "tripod", "token", "create", "--control-plane")), n.Addr.String()+":7443", "--certificate-key")
	must(t)(n.Run(t.Context(), "tripod", "init", "phase", "upload-certs", "--upload-certs", lab.Ignored))
	wantConfigMap(t, n.Kubectl, "kept")
	if _, err := os.Stat(n.Path("/etc/kubernetes/pki/ca.key")); err == nil {
		t.Error("another CA was drawn where this master has none")
	}
	must(t)(n.Run(t.Context(), "tripod", "reset", "--force"))
	if left, err := os.ReadDir(n.Path("/var/lib/etcd/data")); err == nil && len(left) > 0 {
		t.Errorf("reset has left %v", left)
	}
}
