package config_test

import (
	"net/netip"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/config"
)

const livingCluster = clusterKind + "kubernetesVersion: v1.35.4\nnetworking: {podSubnet: 10.244.0.0/16}\n"

func TestOfLiving(t *testing.T) {
	t.Parallel()
	c := livingMaster(t, livingCluster)
	equal(t, "10.0.0.1:7443", c.Endpoint)
	equal(t, netip.MustParseAddrPort("10.0.0.1:7443").String(), c.Advertise.String())
	equal(t, "127.0.0.1", c.Loopback.String())
	equal(t, []string{"m1", "unix:///crio"}, []string{c.Node.Registration.Name, c.Node.Registration.CRISocket})
	equal(t, []string{"v1.35.4", "RSA-2048"}, []string{c.Version.Tag(), c.Cluster.EncryptionAlgorithm})
	equal(t, config.PathsUnder("/"), c.Paths)
	equal(t, any("a.b"), c.Kubelet["clusterDomain"])
	equal(t, config.JoinConfiguration{}, c.Join)

	c = livingMaster(t, livingCluster+"controlPlaneEndpoint: lb\ncertificatesDir: /pki\netcd: {local: {dataDir: /data}}\n")
	equal(t, "lb:7443", c.Endpoint)
	equal(t, []string{"/pki", "/data"}, []string{c.Paths.PKI, c.Paths.EtcdData})
}

func TestOfLivingElsewhere(t *testing.T) {
	t.Parallel()
	load := func(o config.UpgradeOverrides) config.Config {
		c, _, err := config.LoadUpgrade(nil, "", o, machine())
		equal(t, "", message(err))
		return c
	}
	// A sandbox's masters have their own places.
	sandboxed, at := load(config.UpgradeOverrides{Verb: "apply", Root: "/m2"}), here()
	at.Loopback, at.Advertise = netip.MustParseAddr("127.3.0.2"), netip.MustParseAddrPort("127.3.0.2:6443")
	c, err := sandboxed.OfLiving([]byte(livingCluster+"certificatesDir: /m1/pki\n"), nil, at)
	equal(t, "", message(err))
	equal(t, []string{"/m2/etc/kubernetes/pki", "127.3.0.2"}, []string{c.Paths.PKI, c.Loopback.String()})

	c, err = load(config.UpgradeOverrides{Verb: "renew", CertDir: "/mine"}).OfLiving([]byte(livingCluster), nil, here())
	equal(t, "", message(err))
	equal(t, "/mine", c.Paths.PKI)

	at = here()
	at.Advertise = netip.MustParseAddrPort("[fd00::1]:6443")
	c, err = load(config.UpgradeOverrides{Verb: "node"}).OfLiving([]byte(livingCluster), nil, at)
	equal(t, "", message(err))
	equal(t, []string{"::1", "[fd00::1]:6443"}, []string{c.Loopback.String(), c.Endpoint})

	// Workers have no address of a master, and may be of a cluster with another etcd.
	external := []byte(livingCluster + "etcd: {external: {endpoints: [https://e:2379]}}\n")
	c, err = load(config.UpgradeOverrides{Verb: "node"}).OfLiving(external, nil, config.Here{NodeName: "w1"})
	equal(t, "", message(err))
	equal(t, "", c.Endpoint)
	_, err = load(config.UpgradeOverrides{Verb: "node"}).OfLiving(external, nil, here())
	equal(t, []string{"ConfigMap kube-system/kubeadm-config: etcd.external: tripod runs an etcd member on every master, not an external etcd"}, problems(err))
	_, err = load(config.UpgradeOverrides{Verb: "node"}).OfLiving([]byte(clusterKind+"kubernetesVersion: v1.30.0\n"), nil, here())
	equal(t, []string{"ConfigMap kube-system/kubeadm-config: kubernetesVersion: v1.30.0 is not supported"}, problems(err))
}

func TestWithVersion(t *testing.T) {
	t.Parallel()
	was := livingMaster(t, livingCluster)
	for given, want := range map[string]string{"v1.36.3": "v1.36.3", "1.36.0": "v1.36.0", "stable-1.34": "v1.34.4", "stable": "v1.36.3"} {
		c, err := was.WithVersion(given)
		equal(t, "", message(err))
		equal(t, []string{want, want}, []string{c.Version.Tag(), c.Cluster.KubernetesVersion})
		equal(t, "registry.k8s.io/kube-apiserver:"+want, c.Image("kube-apiserver"))
	}
	_, err := was.WithVersion("v1.37.0")
	equal(t, []string{"kubernetesVersion: v1.37.0 is not supported"}, problems(err))
	equal(t, "v1.35.4", was.Cluster.KubernetesVersion)
}

func TestWithDocuments(t *testing.T) {
	t.Parallel()
	was := livingMaster(t, livingCluster+"clusterName: mine\ncontrolPlaneEndpoint: lb\nimageRepository: my.registry\nscheduler: {extraArgs: [{name: v, value: \"2\"}]}\netcd: {local: {dataDir: /data}}\n")
	c, warnings, err := was.WithDocuments([]byte(clusterKind+"apiServer: {certSANs: [More]}\netcd: {local: {serverCertSANs: [a]}}\n"), "c.yaml")
	equal(t, "", message(err))
	equal(t, []string(nil), warnings)
	// What can not change stays, and so do the version and the algorithm; the rest is what the file says.
	want := was.Cluster
	want.TypeMeta = c.Cluster.TypeMeta
	want.APIServer.CertSANs, want.ImageRepository, want.Scheduler = []string{"more"}, "registry.k8s.io", config.ControlPlaneComponent{}
	want.Etcd.Local = &config.LocalEtcd{DataDir: "/data", ServerCertSANs: []string{"a"}}
	equal(t, want, c.Cluster)
	equal(t, []any{was.Version, was.Endpoint, was.Paths, was.Kubelet, was.Node}, []any{c.Version, c.Endpoint, c.Paths, c.Kubelet, c.Node})
	equal(t, []string(nil), was.Cluster.Etcd.Local.ServerCertSANs)

	// What the cluster keeps is no change.
	document, err := was.ClusterDocument()
	equal(t, "", message(err))
	c, _, err = was.WithDocuments(document, "c.yaml")
	equal(t, "", message(err))
	c.Cluster.TypeMeta = was.Cluster.TypeMeta
	equal(t, was.Cluster, c.Cluster)

	c, _, err = was.WithDocuments([]byte(clusterKind+"kubernetesVersion: stable-1.36\n"+kubelet+"maxPods: 50\nstaticPodPath: /etc/kubernetes/manifests/\n"), "c.yaml")
	equal(t, "", message(err))
	equal(t, []any{"v1.36.3", int64(50), any(nil)}, []any{c.Version.Tag(), asInt(c.Kubelet["maxPods"]), c.Kubelet["clusterDomain"]})

	// A component alone.
	c, _, err = was.WithDocuments([]byte(strings.TrimPrefix(kubelet, "---\n")+"maxPods: 60\n"), "c.yaml")
	equal(t, "", message(err))
	equal(t, was.Cluster, c.Cluster)
	equal(t, int64(60), asInt(c.Kubelet["maxPods"]))
}

// asInt is a number of a document, which JSON makes a float.
func asInt(v any) int64 {
	f, _ := v.(float64)
	return int64(f)
}

// A cluster without pod subnet, or endpoint, may get one.
func TestWithDocumentsFirst(t *testing.T) {
	t.Parallel()
	was := livingMaster(t, clusterKind+"kubernetesVersion: v1.35.4\n")
	c, warnings, err := was.WithDocuments([]byte(clusterKind+"controlPlaneEndpoint: lb:6443\nnetworking: {podSubnet: 10.244.0.0/16}\ncertificateValidityPeriod: 20000h\n"), "c.yaml")
	equal(t, "", message(err))
	equal(t, []string{
		"c.yaml: document 1, line 3: controlPlaneEndpoint: is new in this cluster: workers that are there keep to the address of the master that they have joined by\n" +
			"  hint: write https://lb:6443 as server into /etc/kubernetes/kubelet.conf on every worker, and restart the kubelet",
		"c.yaml: document 1, line 5: certificateValidityPeriod: 20000h0m0s is longer than the recommended 8760h0m0s"}, warnings)
	equal(t, "lb:6443", c.Endpoint)
	equal(t, prefixes("10.244.0.0/16"), c.Pods)
	_, _, err = was.WithDocuments([]byte(clusterKind+"networking: {podSubnet: 10.0.0.0/16}\n"), "c.yaml")
	equal(t, []string{"localAPIEndpoint.advertiseAddress: 10.0.0.1 lies in the pod subnet 10.0.0.0/16"}, problems(err))
}

func TestBadWishes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file string
		want []string
	}{
		"what stays": {clusterKind + "clusterName: other\ncertificatesDir: /p\ncontrolPlaneEndpoint: lb:1\nnetworking:\n  serviceSubnet: 10.97.0.0/16\n  podSubnet: 10.245.0.0/16\n  dnsDomain: a.b\netcd:\n  local: {dataDir: /d}\n", []string{
			`c.yaml: document 1, line 3: clusterName: is "kubernetes" in this cluster, and does not become "other": cloud providers name by it what they have made`,
			`c.yaml: document 1, line 4: certificatesDir: is "/etc/kubernetes/pki" in this cluster, and does not become "/p": the authorities lie there on every master`,
			`c.yaml: document 1, line 5: controlPlaneEndpoint: is "lb:6443" in this cluster, and does not become "lb:1": the kubeconfigs of nodes and people name it`,
			`c.yaml: document 1, line 7: networking.serviceSubnet: is "10.96.0.0/12" in this cluster, and does not become "10.97.0.0/16": Services have their addresses from it`,
			`c.yaml: document 1, line 8: networking.podSubnet: is "10.244.0.0/16" in this cluster, and does not become "10.245.0.0/16": nodes have their pods' addresses from it`,
			`c.yaml: document 1, line 9: networking.dnsDomain: is "cluster.local" in this cluster, and does not become "a.b": every kubelet, and every service account token, has it`,
			`c.yaml: document 1, line 11: etcd.local.dataDir: is "/var/lib/etcd" in this cluster, and does not become "/d": etcd's data lie there on every master`}},
		"all at once": {clusterKind + "etcd: {external: {endpoints: [https://e:2379]}}\nnetworking: {serviceSubnet: x}\nscheduler: {extraArgs: [{name: --v, value: \"2\"}]}\nspare: 1\n", []string{
			"c.yaml: document 1, line 3: etcd.external: tripod runs an etcd member on every master, not an external etcd",
			`c.yaml: document 1, line 4: networking.serviceSubnet: "x" is not a subnet`,
			`c.yaml: document 1, line 5: scheduler.extraArgs[0].name: "--v" begins with a dash`,
			"c.yaml: document 1, line 6: spare: unknown field"}},
		"a mask": {clusterKind + "controllerManager: {extraArgs: [{name: node-cidr-mask-size, value: \"8\"}]}\n", []string{
			"networking.podSubnet: 10.244.0.0/16 is smaller than the /8 that each node gets"}},
		"static pods elsewhere": {strings.TrimPrefix(kubelet, "---\n") + "staticPodPath: /elsewhere\n", []string{
			`c.yaml: document 1: staticPodPath: the kubelet looks for static pods in "/elsewhere", and the manifests of a master are in /etc/kubernetes/manifests`}},
		"another file": {upgradeKind, []string{"c.yaml: there is neither a ClusterConfiguration, nor one of the kubelet or of kube-proxy"}},
		"nothing":      {"", []string{"c.yaml: no document was found in the file"}},
		"not YAML":     {"a: [", []string{"c.yaml: document 1, line 1: not YAML: did not find expected node content"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			was := livingMaster(t, livingCluster+"controlPlaneEndpoint: lb:6443\n")
			_, _, err := was.WithDocuments([]byte(test.file), "c.yaml")
			equal(t, test.want, problems(err))
		})
	}
}
