package e2e

import (
	"testing"

	"tripod.dev/tripod/e2e/lab"
)

// The addons are there when init returns, init again leaves them alone, and an edited Corefile stays.
func TestAddons(t *testing.T) {
	n := newNode(t, lab.Machine{})
	initMaster(t, n)
	before := addonVersions(t, n)
	initMaster(t, n)
	if after := addonVersions(t, n); after != before {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
	const edited = ".:53 {\n    whoami\n}\n"
	must(t)(n.Kubectl(t.Context(), "--namespace=kube-system", "patch", "configmap", "coredns", "--type=merge",
		`--patch={"data": {"Corefile": ".:53 {\n    whoami\n}\n"}}`))
	must(t)(n.Kubectl(t.Context(), "--namespace=kube-system", "delete", "service/kube-dns", "daemonset/kube-proxy"))
	initMaster(t, n)
	corefile := must(t)(n.Kubectl(t.Context(), "--namespace=kube-system", "get", "configmap", "coredns", "--output=jsonpath={.data.Corefile}"))
	if corefile != edited {
		t.Errorf("the Corefile is now\n%s", corefile)
	}
	addonVersions(t, n)
}

// addonVersions are what changes where an object of the addons does. All have to be there.
func addonVersions(t *testing.T, n *lab.Node) string {
	t.Helper()
	const version, generation = `{range .items[*]}{.kind} {.metadata.name} {.metadata.resourceVersion}{"\n"}{end}`, `{range .items[*]}{.kind} {.metadata.name} {.metadata.generation}{"\n"}{end}`
	get := func(path string, objects ...string) string {
		return must(t)(n.Kubectl(t.Context(), append([]string{"--namespace=kube-system", "get", "--output=jsonpath=" + path}, objects...)...))
	}
	return get(version, "serviceaccount/coredns", "clusterrole/system:coredns", "clusterrolebinding/system:coredns", "configmap/coredns", "service/kube-dns",
		"serviceaccount/kube-proxy", "clusterrolebinding/kubeadm:node-proxier", "role/kube-proxy", "rolebinding/kube-proxy", "configmap/kube-proxy") +
		get(generation, "deployment/coredns", "daemonset/kube-proxy")
}
