package e2e

import (
	"os"
	"testing"

	"tripod.dev/tripod/e2e/lab"
)

// The addons are there when init returns, init again leaves them alone, who asks for them by name has what is missing made, and
// an edited Corefile stays.
func TestAddons(t *testing.T) {
	t.Parallel()
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
	keepAddress(t, n)
	must(t)(n.Run(t.Context(), "tripod", "init", "phase", "addon", "all", lab.Ignored))
	corefile := must(t)(n.Kubectl(t.Context(), "--namespace=kube-system", "get", "configmap", "coredns", "--output=jsonpath={.data.Corefile}"))
	if corefile != edited {
		t.Errorf("the Corefile is now\n%s", corefile)
	}
	addonVersions(t, n)
}

// keepAddress leaves the cluster as an apiserver does whose request to make the Service was cut off: its address is
// taken, and there is no Service.
func keepAddress(t *testing.T, n *lab.Node) {
	t.Helper()
	const kept = `apiVersion: networking.k8s.io/v1
kind: IPAddress
metadata:
  name: 10.96.0.10
  labels:
    ipaddress.kubernetes.io/ip-family: IPv4
    ipaddress.kubernetes.io/managed-by: ipallocator.k8s.io
spec:
  parentRef: {resource: services, namespace: kube-system, name: kube-dns}
`
	if err := os.WriteFile(n.Path("/etc/kubernetes/kept.yaml"), []byte(kept), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t)(n.Kubectl(t.Context(), "create", "--filename=/etc/kubernetes/kept.yaml"))
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
