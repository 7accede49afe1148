package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"

	"tripod.dev/tripod/e2e/lab"
)

// What a cluster has come to since its first day is its operators': init run again changes nothing of it, brings nothing back that
// was removed, and names what it was given otherwise.
func TestInitKeeps(t *testing.T) {
	t.Parallel()
	n := newNode(t, lab.Machine{})
	initMaster(t, n)
	kubectl := func(args ...string) string {
		return must(t)(n.Kubectl(t.Context(), append([]string{"--namespace=kube-system"}, args...)...))
	}
	const cluster = "{apiVersion: kubeadm.k8s.io/v1beta4, kind: ClusterConfiguration, apiServer: {extraArgs: [{name: v, value: '1'}]}}"
	if err := os.WriteFile(n.Path("/var/cluster.yaml"), []byte(cluster), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Log(must(t)(n.Run(t.Context(), "tripod", "apply", "-f", "/var/cluster.yaml")))
	kubectl("patch", "configmap", "coredns", "--type=merge", `--patch={"data": {"Corefile": ".:53 {\n    whoami\n}\n"}}`)
	kubectl("patch", "configmap", "kubelet-config", "--type=merge", `--patch={"data": {"kubelet": "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 77\n"}}`)
	kubectl("delete", "daemonset/kube-proxy", "configmap/kube-proxy")
	kubectl("delete", "secret", "--field-selector=type=bootstrap.kubernetes.io/token")
	kubectl("delete", "clusterrolebinding", "kubeadm:node-autoapprove-bootstrap")
	kubectl("taint", "node", n.Name, "node-role.kubernetes.io/control-plane-")
	kubectl("label", "node", n.Name, "node.kubernetes.io/exclude-from-external-load-balancers-")

	files, processes, kept := snapshot(t, n), pids(t, n), keptByCluster(t, n)
	unchanged := func(what, out string) {
		wantSame(t, files, snapshot(t, n))
		if now := pids(t, n); now != processes {
			t.Errorf("%s: processes were %s, now %s", what, processes, now)
		}
		if now := keptByCluster(t, n); now != kept {
			t.Errorf("%s: the cluster had\n%s\nand has\n%s\n%s", what, kept, now, out)
		}
	}
	unchanged("init", must(t)(n.Run(t.Context(), "tripod", "init", lab.Ignored)))
	out := initMaster(t, n)
	wantSays(t, out, "token create --print-join-command")
	unchanged("init of that version", out)
	for says, args := range map[string][]string{
		"kubernetesVersion: has " + lab.Default + ", given " + lab.PreviousMinor: lab.TripodInit(lab.PreviousMinor),
		"nodeRegistration.name: has " + n.Name + ", given other":                 {"init", "--node-name=other"},
		"apiServer.certSANs: has none, given":                                    {"init", "phase", "control-plane", "all", "--apiserver-cert-extra-sans=api.example.com"},
	} {
		out, err := n.Run(t.Context(), "tripod", args...)
		if code := exitCode(err); code != badInput {
			t.Errorf("%v: exit code %d", args, code)
		}
		wantSays(t, out, says, "tripod apply")
		unchanged(says, out)
	}
}

// keptByCluster is what operators change of what init makes, and what piles up where it is made again.
func keptByCluster(t *testing.T, n *lab.Node) string {
	t.Helper()
	var all []string
	for _, kinds := range []string{"configmaps,secrets,roles,rolebindings", "clusterrolebindings,daemonsets,deployments,services"} {
		const version = `{range .items[*]}{.kind} {.metadata.name} {.metadata.resourceVersion}{"\n"}{end}`
		lines := must(t)(n.Kubectl(t.Context(), "--namespace=kube-system", "get", kinds, "--output=jsonpath="+version))
		all = append(all, strings.Split(lines, "\n")...)
	}
	all = slices.DeleteFunc(all, func(line string) bool { // what others write in their own time
		return strings.Contains(line, "kube-root-ca.crt") || strings.Contains(line, "extension-apiserver-authentication") || strings.HasPrefix(line, "Deployment ")
	})
	node := must(t)(n.Kubectl(t.Context(), "get", "node", n.Name, "--output=jsonpath={.metadata.labels} {.spec}"))
	return strings.Join(append(all, node), "\n")
}
