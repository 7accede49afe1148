package phases

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/manifests"
)

// addonCases are configurations with the objects that come of them, in testdata/addons.
func addonCases() []podCase {
	return []podCase{
		{name: "defaults"},
		{name: "dualstack", documents: `controlPlaneEndpoint: api.example.com
imageRepository: registry.example.com/k8s
dns: {imageTag: v1.2.3}
networking: {serviceSubnet: "fd00:1::/112,10.96.0.0/16", podSubnet: "fd00:2::/56,10.244.0.0/16", dnsDomain: example.local}
`, overrides: config.Overrides{AdvertiseAddress: "fd00::1"}},
		{name: "kind", documents: `---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
metadata: {name: config}
mode: iptables
clusterCIDR: ""
bindAddress: 127.0.0.1
conntrack: {maxPerCore: 0}
clientConnection: {qps: 5, kubeconfig: ""}
`, facts: func(f *Facts) {
			f.ProxyEnv = []corev1.EnvVar{{Name: "HTTPS_PROXY", Value: `http://"proxy":8080`}}
			patch, _ := manifests.ParsePatchFile("corednsdeployment+json.yaml", []byte(`[{op: replace, path: /spec/replicas, value: 3}]`))
			f.Patches = append(f.Patches, patch)
		}},
	}
}

func TestAddons(t *testing.T) {
	t.Parallel()
	for _, c := range addonCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			golden(t, filepath.Join("testdata", "addons", c.name+".yaml"), encodeAddons(t, c.master(t, "v1.36.3")))
		})
	}
}

func encodeAddons(t *testing.T, m Master) []byte {
	t.Helper()
	var all bytes.Buffer
	for _, o := range addonObjects(t, m) {
		data, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "---\n%s", data)
	}
	return all.Bytes()
}

func addonObjects(t *testing.T, m Master) []*unstructured.Unstructured {
	t.Helper()
	dns, err := onNodes(coreDNSObjects)(m)
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := onNodes(kubeProxyObjects)(m)
	if err != nil {
		t.Fatal(err)
	}
	return append(dns, proxy...)
}

func TestAddonsLeftOut(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*Master)
		want   int
	}{
		"both":          {func(*Master) {}, 12},
		"no DNS":        {func(m *Master) { m.Cluster.DNS.Disabled = true }, 6},
		"no kube-proxy": {func(m *Master) { m.Cluster.Proxy.Disabled = true }, 6},
		"sandbox":       {rootless, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := freshMaster(tt.change)
			if got := addonObjects(t, m); len(got) != tt.want {
				t.Errorf("%d objects, want %d", len(got), tt.want)
			}
		})
	}
}

// What the operator has changed in the cluster stays: the Corefile, and how often cluster DNS runs.
func TestAddonsKeep(t *testing.T) {
	t.Parallel()
	fresh := freshMaster()
	live := map[string]*unstructured.Unstructured{}
	for _, o := range addonObjects(t, fresh) {
		live[objectKey(o)] = canonical(o)
	}
	m := freshMaster(func(m *Master) { m.Objects = apiWith(slices.Collect(maps.Values(live))...) })
	live["ConfigMap kube-system/coredns"].Object["data"] = map[string]any{"Corefile": ".:53 { whoami }", "hosts": "more"}
	live["Deployment kube-system/coredns"].Object["spec"].(map[string]any)["replicas"] = int64(5)
	if changes := m.want(addonObjects(t, m)...); len(changes) != 0 {
		t.Errorf("changes: %v", changes)
	}
	live["ConfigMap kube-system/coredns"].Object["data"] = map[string]any{}
	if changes := m.want(addonObjects(t, m)...); len(changes) != 1 || !strings.Contains(changes[0].Diff, "+    .:53 {") {
		t.Errorf("without a Corefile: %v", changes)
	}
}

func TestPatchDeployment(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ patch, want string }{
		"merged by name": {"spec: {template: {spec: {containers: [{name: coredns, resources: {limits: {memory: 1Gi}}}]}}}", ""},
		"renamed":        {"metadata: {name: other}", "kind, name and namespace must stay"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := freshMaster(func(m *Master) { m.Patches = []manifests.PatchFile{patchFile(t, "corednsdeployment.yaml", tt.patch)} })
			objects, err := coreDNSObjects(m)
			switch {
			case tt.want != "":
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %s", err, tt.want)
				}
			case err != nil:
				t.Error(err)
			default:
				wantLimit(t, objects)
			}
		})
	}
}

// wantLimit wants the container with its new limit, and all that it had.
func wantLimit(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, o := range objects {
		if o.GetKind() != "Deployment" {
			continue
		}
		data, err := yaml.Marshal(o.Object)
		if err != nil || !bytes.Contains(data, []byte("memory: 1Gi")) || !bytes.Contains(data, []byte("/etc/coredns/Corefile")) {
			t.Errorf("%v\n%s", err, data)
		}
	}
}
