package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// An upgrade that can not succeed goes back by itself: what ran before runs again, proved, and the cause is named.
func TestUpgradeBroken(t *testing.T) {
	t.Parallel()
	n := oldMaster(t, "tripod")
	for _, b := range []brokenUpgrade{
		{
			name: "an image that does not exist", component: "kube-apiserver",
			patch: map[string]string{"kube-apiserver+merge.yaml": `{"spec": {"containers": [{"name": "kube-apiserver", "image": "registry.k8s.io/kube-apiserver:v1.36.99", "imagePullPolicy": "Never"}]}}`},
			says:  []string{"control-plane/apiserver: ", "its image is not on this machine, and is not to be pulled: registry.k8s.io/kube-apiserver:v1.36.99"},
		},
		{
			name: "a binary that exits", component: "kube-scheduler",
			patch: map[string]string{"kube-scheduler+json.yaml": `[{"op": "add", "path": "/spec/containers/0/command/-", "value": "--v=most"}]`},
			says:  []string{"control-plane/scheduler: ", `invalid argument "most"`},
		},
		{
			name: "a flag that it does not know, by a patch", component: "kube-controller-manager",
			patch: map[string]string{"kube-controller-manager+json.yaml": `[{"op": "add", "path": "/spec/containers/0/command/-", "value": "--no-such-flag=1"}]`},
			says:  []string{"control-plane/controller-manager: ", "unknown flag: --no-such-flag"},
		},
		{
			name: "an apiserver that never gets ready", component: "kube-apiserver",
			patch: map[string]string{"kube-apiserver+json.yaml": `[{"op": "add", "path": "/spec/containers/0/command/-", "value": "--etcd-readycheck-timeout=1ns"}]`},
			says:  []string{"control-plane/apiserver: kube-apiserver is not healthy after 20s", "not yet etcd-readiness"},
		},
	} {
		t.Run(b.name, func(t *testing.T) { b.run(t, n) })
	}
	must(t)(n.Run(t.Context(), "tripod", "upgrade", "apply", lab.Default, "--yes", ignored))
	wantUpgraded(t, n, lab.Default)
	out := must(t)(n.Run(t.Context(), "tripod", "history"))
	t.Log(out)
	wantSays(t, out, "failed: control-plane/scheduler", "failed: control-plane/controller-manager", "failed: control-plane/apiserver")
}

// brokenUpgrade is an upgrade by which a component can not get healthy. What was proved before it stays what it has become.
type brokenUpgrade struct {
	name, component string
	patch           map[string]string
	says            []string
}

func (b brokenUpgrade) run(t *testing.T, n *lab.Node) {
	dir := "/var/patches"
	if err := os.RemoveAll(n.Path(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(n.Path(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range b.patch {
		if err := os.WriteFile(filepath.Join(n.Path(dir), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const document = `{apiVersion: kubeadm.k8s.io/v1beta4, kind: UpgradeConfiguration, apply: {patches: {directory: /var/patches}, forceUpgrade: true},
  timeouts: {controlPlaneComponentHealthCheck: 20s}}`
	if err := os.WriteFile(n.Path("/var/upgrade.yaml"), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	manifest := n.Path("/etc/kubernetes/manifests/" + b.component + ".yaml")
	before, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	out, err := n.Run(t.Context(), "tripod", "upgrade", "apply", lab.Default, "--config=/var/upgrade.yaml", ignored)
	t.Logf("after %s:\n%s", time.Since(began), out)
	if code := exitCode(err); code != notHealthy {
		t.Errorf("exit code %d, want %d", code, notHealthy)
	}
	_, cause, _ := strings.Cut(out, "error: ")
	wantSays(t, cause, b.says...)
	if after, err := os.ReadFile(manifest); err != nil || string(after) != string(before) {
		t.Errorf("%s is not what it was: %v\n%s", manifest, err, after)
	}
	wantSays(t, out, "restored: the earlier "+b.component+" is back and healthy")
	wantBack(t, n)
}

// wantBack wants a master that has gone back to be healthy, and the cluster to have its version still.
func wantBack(t *testing.T, n *lab.Node) {
	t.Helper()
	until(t, "ready", func(ctx context.Context) error { return ready(ctx, n.Kubectl) })
	wantLeases(t, n.Kubectl)
	out := must(t)(n.Kubectl(t.Context(), "--namespace=kube-system", "get", "configmap", "kubeadm-config", "--output=jsonpath={.data.ClusterConfiguration}"))
	if !strings.Contains(out, "kubernetesVersion: "+lab.PreviousMinor) {
		t.Errorf("kubeadm-config says\n%s", out)
	}
	for _, component := range componentNames {
		if _, err := pidOnNode(t.Context(), n, component); err != nil {
			t.Errorf("%s does not run: %v", component, err)
		}
	}
}

// oldMaster is a master of the earlier minor version.
func oldMaster(t *testing.T, program string) *lab.Node {
	t.Helper()
	n := newNode(t, lab.Machine{Version: lab.PreviousMinor})
	args := lab.TripodInit(lab.PreviousMinor)
	if program == "kubeadm" {
		args = lab.KubeadmInit(lab.PreviousMinor)
	}
	must(t)(n.Run(t.Context(), program, args...))
	return n
}
