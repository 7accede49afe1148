package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/e2e/lab"
)

// Flags, volumes and patches of a living master change by tripod apply, and are kept; what is wrong changes nothing.
func TestApplyConfiguration(t *testing.T) {
	t.Parallel()
	n := newNode(t, lab.Machine{})
	initMaster(t, n)
	write := func(path, text string) {
		if err := os.WriteFile(n.Path(path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(n.Path("/var/patches"), 0o755); err != nil {
		t.Fatal(err)
	}
	const head = "{apiVersion: kubeadm.k8s.io/v1beta4, kind: ClusterConfiguration, "
	write("/var/policy.yaml", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None}]\n")
	write("/var/cluster.yaml", head+`apiServer: {extraArgs: [{name: audit-policy-file, value: /etc/policy.yaml}],
		extraVolumes: [{name: policy, hostPath: /var/policy.yaml, mountPath: /etc/policy.yaml, readOnly: true, pathType: File}]},
		etcd: {local: {extraArgs: [{name: max-snapshots, value: "7"}]}}}`)
	write("/var/patches/kube-scheduler+json.yaml", `[{"op": "add", "path": "/spec/containers/0/command/-", "value": "--v=3"}]`)

	diff := must(t)(n.Run(t.Context(), "tripod", "apply", "-f", "/var/cluster.yaml", "--patches=/var/patches", "--diff"))
	wantSays(t, diff, "+    - --audit-policy-file=/etc/policy.yaml", "+    - --max-snapshots=7", "+    - --v=3", "stop kube-scheduler, kube-apiserver, etcd", "ConfigMap kube-system/kubeadm-config", "ConfigMap kube-system/tripod-patches")
	if files := must(t)(n.Run(t.Context(), "ls", "/etc/kubernetes/manifests")); strings.Contains(must(t)(n.Run(t.Context(), "cat", "/etc/kubernetes/manifests/etcd.yaml")), "max-snapshots") {
		t.Errorf("a diff has changed something: %s", files)
	}
	t.Log(must(t)(n.Run(t.Context(), "tripod", "apply", "-f", "/var/cluster.yaml", "--patches=/var/patches", "--yes")))
	wantFlags(t, n, map[string]string{"kube-apiserver": "--audit-policy-file=/etc/policy.yaml", "etcd": "--max-snapshots=7", "kube-scheduler": "--v=3"})
	began := time.Now()
	if again := must(t)(n.Run(t.Context(), "tripod", "apply")); !strings.Contains(again, "Nothing to change") {
		t.Error(again)
	}
	t.Logf("nothing to change took %s", time.Since(began))

	before, running := snapshot(t, n), must(t)(pidOnNode(t.Context(), n, "kube-apiserver"))
	for text, says := range map[string]string{
		head + "apiServer: {extraArgs: [{name: no-such-flag, value: x}]}}": `has no flag "no-such-flag"`,
		head + "networking: {serviceSubnet: 10.97.0.0/16}}":                "Services have their addresses from it",
		head + "kubernetesVersion: v1.34.0}":                               "tripod rollback",
		"{kind: Nonsense}":                                                 "is not known",
	} {
		write("/var/bad.yaml", text)
		out, err := n.Run(t.Context(), "tripod", "apply", "-f", "/var/bad.yaml", "--yes")
		if code := exitCode(err); code != badInput && code != unfit {
			t.Errorf("%s: exit code %d\n%s", text, code, out)
		}
		wantSays(t, out, says)
	}
	wantSame(t, before, snapshot(t, n))
	if now := must(t)(pidOnNode(t.Context(), n, "kube-apiserver")); now != running {
		t.Error("the apiserver was started anew")
	}

	t.Log(must(t)(n.Run(t.Context(), "tripod", "rollback", "--yes")))
	for _, component := range componentNames {
		if manifest := must(t)(n.Run(t.Context(), "cat", "/etc/kubernetes/manifests/"+component+".yaml")); strings.Contains(manifest, "audit-policy-file") || strings.Contains(manifest, "--v=3") {
			t.Errorf("%s was not taken back", component)
		}
	}
	wantReady(t, n.Kubectl)
}

// wantFlags wants processes to run with flags.
func wantFlags(t *testing.T, n *lab.Node, flags map[string]string) {
	t.Helper()
	for component, flag := range flags {
		pid := must(t)(pidOnNode(t.Context(), n, component))
		line, err := os.ReadFile(n.Path("/proc/" + pid + "/cmdline"))
		if err != nil || !strings.Contains(string(line), flag) {
			t.Errorf("%s runs without %s: %v %s", component, flag, err, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
}

// A master that is down because its certificates have expired is brought back by their renewal, whoever has made it.
func TestRenewExpired(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"tripod", "kubeadm"} {
		if program == "kubeadm" && !drill() {
			continue
		}
		t.Run("of "+program, func(t *testing.T) {
			n := newNode(t, lab.Machine{})
			document := "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: " + lab.Default + "\ncertificateValidityPeriod: 40s\n"
			if program == "kubeadm" { // whose init takes longer
				document = strings.Replace(document, "40s", "100s", 1)
			}
			if err := os.WriteFile(n.Path("/var/short.yaml"), []byte(document), 0o600); err != nil {
				t.Fatal(err)
			}
			must(t)(n.Run(t.Context(), program, "init", "--config=/var/short.yaml", lab.Ignored))
			writeConfigMap(t, n.Kubectl, "kept")
			until(t, "the certificates have expired", func(ctx context.Context) error {
				_, err := n.Kubectl(ctx, "--request-timeout=2s", "get", "--raw=/readyz")
				if err == nil {
					return errors.New("not yet")
				}
				return nil
			})
			t.Log(must(t)(n.Run(t.Context(), "tripod", "certs", "renew", "all")))
			wantConfigMap(t, n.Kubectl, "kept")
		})
	}
}

// The cluster is left as kubeadm would leave it.
func TestUpgradeLikeKubeadm(t *testing.T) {
	t.Parallel()
	drillOnly(t)
	kept := map[string]map[string]string{}
	for program, binary := range map[string]string{"kubeadm": newLab(t).Component(lab.Default, "kubeadm"), "tripod": "tripod"} {
		n := oldMaster(t, "kubeadm")
		t.Log(must(t)(n.Run(t.Context(), binary, "upgrade", "apply", lab.Default, "--yes", ignored+",CreateJob")))
		var list struct {
			Items []struct {
				Metadata struct{ Name string }
				Data     map[string]string
			}
		}
		out := must(t)(n.Kubectl(t.Context(), "--namespace=kube-system", "get", "configmap", "kubeadm-config", "kubelet-config", "--output=json"))
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			t.Fatal(err)
		}
		kept[program] = map[string]string{}
		for _, item := range list.Items {
			for key, text := range item.Data {
				kept[program][item.Metadata.Name+" "+key] = text
			}
		}
	}
	if diff := cmp.Diff(kept["kubeadm"], kept["tripod"]); diff != "" {
		t.Errorf("the cluster's configuration (-kubeadm +tripod)\n%s", diff)
	}
}

// A master that tripod has made is upgraded by kubeadm, and changed by tripod afterwards.
func TestUpgradeByKubeadm(t *testing.T) {
	t.Parallel()
	drillOnly(t)
	n := oldMaster(t, "tripod")
	writeConfigMap(t, n.Kubectl, "kept")
	t.Log(must(t)(n.Run(t.Context(), newLab(t).Component(lab.Default, "kubeadm"), "upgrade", "apply", lab.Default, "--yes", ignored+",CreateJob")))
	wantUpgraded(t, n, lab.Default)
	wantConfigMap(t, n.Kubectl, "kept")
	t.Log(must(t)(n.Run(t.Context(), "tripod", "apply", ignored)))
	wantUpgraded(t, n, lab.Default)
	wantReady(t, n.Kubectl)
}
