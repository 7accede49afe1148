package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConfigPrint(t *testing.T) {
	t.Parallel()
	for verb, kind := range map[string]string{"init": "InitConfiguration", "join": "JoinConfiguration", "reset": "ResetConfiguration", "upgrade": "UpgradeConfiguration"} {
		out, errs, code := tripod(t, "config", "print", verb+"-defaults")
		if code != 0 || !strings.Contains(out, "kind: "+kind+"\n") {
			t.Errorf("exit code %d\n%s%s", code, out, errs)
		}
		file := filepath.Join(t.TempDir(), "printed.yaml")
		write(t, file, out)
		if out, errs, code := tripod(t, "config", "validate", "--config", file); code != 0 || out != "ok\n" {
			t.Errorf("%s: what is printed is not valid: exit code %d\n%s%s", verb, code, out, errs)
		}
	}
}

func TestConfigPrintComponents(t *testing.T) {
	t.Parallel()
	out, errs, code := tripod(t, "config", "print", "init-defaults", "--component-configs", "KubeletConfiguration,KubeProxyConfiguration")
	if code != 0 || !strings.Contains(out, "kind: KubeletConfiguration\n") || !strings.Contains(out, "kind: KubeProxyConfiguration\n") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	out, errs, code = tripod(t, "config", "print", "init-defaults", "--component-configs=x")
	if code != exitInput || out != "" || !strings.Contains(errs, "--component-configs=x: it is one of KubeletConfiguration, KubeProxyConfiguration") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

func TestConfigMigrate(t *testing.T) {
	t.Parallel()
	old := filepath.Join(t.TempDir(), "old.yaml")
	write(t, old, `apiVersion: kubeadm.k8s.io/v1beta3
kind: ClusterConfiguration
clusterName: blue
apiServer:
  extraArgs:
    v: "4"
  timeoutForControlPlane: 2m0s
`)
	printed, errs, code := tripod(t, "config", "migrate", "--old-config", old)
	if code != 0 || !strings.Contains(printed, "kubeadm.k8s.io/v1beta4") || strings.Contains(printed, "v1beta3") || !strings.Contains(printed, "clusterName: blue") {
		t.Fatalf("exit code %d\n%s%s", code, printed, errs)
	}
	file := filepath.Join(t.TempDir(), "new.yaml")
	if _, errs, code := tripod(t, "config", "migrate", "--old-config", old, "--new-config", file); code != 0 {
		t.Fatal(errs)
	}
	written, err := os.ReadFile(file)
	if diff := cmp.Diff(printed, string(written)); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, errs, code := tripod(t, "config", "migrate", "--old-config", "/nowhere"); code != exitInput || !strings.Contains(errs, "no such file") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

func TestImagesList(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "master.yaml")
	write(t, file, `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.35.4
imageRepository: example.org/k8s
dns: {disabled: true}
proxy: {disabled: true}
`)
	for line, want := range map[string]string{
		"": `registry.k8s.io/kube-apiserver:v1.36.3
registry.k8s.io/kube-controller-manager:v1.36.3
registry.k8s.io/kube-scheduler:v1.36.3
registry.k8s.io/kube-proxy:v1.36.3
registry.k8s.io/coredns/coredns:v1.14.2
registry.k8s.io/pause:3.10.2
registry.k8s.io/etcd:3.6.8-0
`,
		"--config " + file: `example.org/k8s/kube-apiserver:v1.35.4
example.org/k8s/kube-controller-manager:v1.35.4
example.org/k8s/kube-scheduler:v1.35.4
example.org/k8s/pause:3.10.2
example.org/k8s/etcd:3.6.8-0
`,
	} {
		out, errs, code := tripod(t, append([]string{"config", "images", "list"}, strings.Fields(line)...)...)
		if diff := cmp.Diff(want, out); code != 0 || diff != "" {
			t.Errorf("exit code %d\n%s%s", code, diff, errs)
		}
	}
	out, _, _ := tripod(t, "config", "images", "list", "-o", "json")
	if !strings.Contains(out, `"apiVersion": "output.kubeadm.k8s.io/v1alpha3"`) || !strings.Contains(out, `"images": [`) {
		t.Error(out)
	}
	_, errs, code := tripod(t, "config", "images", "list", "--kubernetes-version=v1.36.3", "--config", file)
	if code != exitInput || !strings.Contains(errs, "--kubernetes-version: can not be given together with --config") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

// Without a runtime nothing is pulled, and that is said at once.
func TestImagesPullWithoutRuntime(t *testing.T) {
	t.Parallel()
	out, errs, code := tripod(t, "config", "images", "pull", "--cri-socket", "unix:///nowhere/x.sock")
	if code != exitFailed || out != "" || !strings.Contains(errs, "the container runtime does not answer on unix:///nowhere/x.sock") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if _, errs, code := tripod(t, "config", "images", "pull", "--cri-socket", "tcp://x"); code != exitInput {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}
