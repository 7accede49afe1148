package config_test

import (
	"net/netip"
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod.dev/tripod/internal/config"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	c, warnings, err := config.Load(nil, "", config.Overrides{}, machine())
	equal(t, "", message(err))
	equal(t, []string(nil), warnings)
	minutes := func(n time.Duration) *metav1.Duration { return &metav1.Duration{Duration: n * time.Minute} }
	equal(t, config.InitConfiguration{
		BootstrapTokens: []config.BootstrapToken{{
			Token: "aaaaaa.bbbbbbbbbbbbbbbb", Description: "drawn at random by init", TTL: minutes(24 * 60),
			Usages: []string{"signing", "authentication"}, Groups: []string{"system:bootstrappers:kubeadm:default-node-token"},
		}},
		NodeRegistration: config.NodeRegistration{
			Name: "master-1", CRISocket: "unix:///var/run/containerd/containerd.sock", ImagePullPolicy: "IfNotPresent", ImagePullSerial: new(true),
			Taints: []config.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: "NoSchedule"}},
		},
		LocalAPIEndpoint: config.APIEndpoint{AdvertiseAddress: "192.168.1.10", BindPort: 6443},
		Timeouts: &config.Timeouts{
			ControlPlaneComponentHealthCheck: minutes(4), KubeletHealthCheck: minutes(4), KubernetesAPICall: minutes(1), EtcdAPICall: minutes(2),
			TLSBootstrap: minutes(5), Discovery: minutes(5), UpgradeManifests: minutes(5),
		},
	}, c.Init)
	equal(t, config.ClusterConfiguration{
		KubernetesVersion: "v1.36.3", ClusterName: "kubernetes", ImageRepository: "registry.k8s.io", CertificatesDir: "/etc/kubernetes/pki",
		EncryptionAlgorithm: "ECDSA-P256", CertificateValidityPeriod: minutes(8760 * 60), CACertificateValidityPeriod: minutes(87600 * 60),
		Networking: config.Networking{ServiceSubnet: "10.96.0.0/12", DNSDomain: "cluster.local"},
		Etcd:       config.Etcd{Local: &config.LocalEtcd{DataDir: "/var/lib/etcd"}},
	}, c.Cluster)
	equal(t, []time.Duration{4 * time.Minute, 4 * time.Minute, time.Minute, 2 * time.Minute}, []time.Duration{c.Health, c.KubeletHealth, c.APICall, c.EtcdCall})
	equal(t, []time.Duration{8760 * time.Hour, 87600 * time.Hour}, []time.Duration{c.LeafValidity, c.CAValidity})
	equal(t, config.PathsUnder("/"), c.Paths)
}

func TestTokenDefaults(t *testing.T) {
	t.Parallel()
	const token = "bootstrapTokens:\n- token: abcdef.0123456789abcdef\n"
	for name, test := range map[string]struct {
		file    string
		machine config.Machine
		want    []string // token, ttl, groups
	}{
		"drawn":             {initKind, machine(), []string{"aaaaaa.bbbbbbbbbbbbbbbb", "24h0m0s", "1"}},
		"drawn for an item": {initKind + "bootstrapTokens: [{ttl: 1h}]\n", machine(), []string{"aaaaaa.bbbbbbbbbbbbbbbb", "1h0m0s", "1"}},
		"given":             {initKind + token, machine(), []string{"abcdef.0123456789abcdef", "24h0m0s", "1"}},
		"forever":           {initKind + token + "  ttl: 0s\n", machine(), []string{"abcdef.0123456789abcdef", "0s", "1"}},
		"expires":           {initKind + token + "  expires: 2030-01-01T00:00:00Z\n", machine(), []string{"abcdef.0123456789abcdef", "", "1"}},
		"signs only":        {initKind + token + "  usages: [signing]\n", machine(), []string{"abcdef.0123456789abcdef", "24h0m0s", "0"}},
		"none drawn":        {initKind, config.Machine{Hostname: "a", DefaultIP: netip.MustParseAddr("10.0.0.1")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _, err := config.Load([]byte(test.file), "init.yaml", config.Overrides{}, test.machine)
			equal(t, "", message(err))
			var got []string
			for _, token := range c.Init.BootstrapTokens {
				ttl := ""
				if token.TTL != nil {
					ttl = token.TTL.Duration.String()
				}
				got = append(got, token.Token, ttl, string(rune('0'+len(token.Groups))))
			}
			equal(t, test.want, got)
		})
	}
}

func TestTaints(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want int
	}{"none written": {"{}", 1}, "null": {"{taints: null}", 1}, "empty": {"{taints: []}", 0}, "two": {"{taints: [{key: a, effect: NoExecute}, {key: b, effect: NoExecute}]}", 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			equal(t, test.want, len(load(t, initKind+"nodeRegistration: "+test.text+"\n").Init.NodeRegistration.Taints))
		})
	}
}

func TestRoot(t *testing.T) {
	t.Parallel()
	o := config.Overrides{Root: "/tmp/sandbox", Loopback: netip.MustParseAddr("127.17.0.1")}
	c, _, err := config.Load([]byte(clusterKind+"certificatesDir: /pki\n"), "init.yaml", o, machine())
	equal(t, "", message(err))
	equal(t, config.Paths{
		Kubernetes: "/tmp/sandbox/etc/kubernetes",
		PKI:        "/pki",
		Manifests:  "/tmp/sandbox/etc/kubernetes/manifests",
		Kubelet:    "/tmp/sandbox/var/lib/kubelet",
		EtcdData:   "/tmp/sandbox/var/lib/etcd",
		State:      "/tmp/sandbox/var/lib/tripod",
	}, c.Paths)
}

// What kind writes to a first control-plane node: five documents, of which init reads four.
func TestKind(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/kind.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, warnings, err := config.Load(data, "kubeadm.conf", config.Overrides{SkipTokenPrint: true}, machine())
	equal(t, "", message(err))
	equal(t, []string(nil), warnings)
	equal(t, "kind-external-load-balancer:6443", c.Endpoint)
	equal(t, []config.Arg{{Name: "runtime-config"}}, c.Cluster.APIServer.ExtraArgs)
	equal(t, []config.Arg(nil), c.Cluster.Scheduler.ExtraArgs)
	equal(t, "172.18.0.3:6443", c.Advertise.String())
	equal(t, []string{"preflight"}, c.Init.SkipPhases)
	equal(t, any("/kubelet"), c.Kubelet["cgroupRoot"])
	equal(t, any(false), c.Kubelet["failCgroupV1"])
	equal(t, any("iptables"), c.KubeProxy["mode"])
	equal(t, "", message(validate(data, "kubeadm.conf")))
}

// Every field of the documents at once, most of them as their defaults are not.
func TestEveryField(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/every-field.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, warnings, err := config.Load(data, "every-field.yaml", config.Overrides{}, machine())
	equal(t, "", message(err))
	equal(t, []string(nil), warnings)
}

func TestForms(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"JSON":                   `{"apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "ClusterConfiguration", "clusterName": "a"}`,
		"empty documents":        "---\n---\n" + clusterKind + "clusterName: a\n---\n",
		"alias":                  clusterKind + "clusterName: &a a\nimageRepository: *a\n",
		"null":                   clusterKind + "clusterName: a\netcd:\napiServer: null\ndns: ~\n",
		"words of YAML 1.1":      clusterKind + "clusterName: a\ndns: {disabled: yes}\nproxy: {disabled: off}\n",
		"set aside":              clusterKind + "clusterName: a\n---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: ResetConfiguration\nwhatever: 1\n",
		"byte order mark":        "\ufeff" + clusterKind + "clusterName: a\n",
		"carriage returns":       "apiVersion: kubeadm.k8s.io/v1beta4\r\nkind: ClusterConfiguration\r\nclusterName: a\r\n",
		"argument is repeated":   clusterKind + "clusterName: a\nscheduler: {extraArgs: [{name: v, value: \"\"}, {name: v, value: \"2\"}]}\n",
		"time stamp is a text":   clusterKind + "clusterName: a\nscheduler: {extraArgs: [{name: v, value: 2026-01-01}]}\n",
		"wildcards and capitals": clusterKind + "clusterName: a\napiServer: {certSANs: [\"*.Example.com\", \"fd00::1\", LB]}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			equal(t, "a", load(t, file).Cluster.ClusterName)
		})
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, want string }{
		"good":          {clusterKind, ""},
		"IPv6":          {clusterKind + "networking: {serviceSubnet: \"fd00::/112\"}\n", ""},
		"not for init":  {resetKind + "force: true\n", ""},
		"join":          {joinKind + "nodeRegistration: {imagePullPolicy: No}\n" + byFile, "a.yaml: document 1, line 3: nodeRegistration.imagePullPolicy: \"No\" is not known\n  hint: it is one of Always, IfNotPresent, Never"},
		"init and join": {clusterKind + "clusterName: [a]\n---\n" + joinKind + byFile + "b: 1\n", "a.yaml: document 1, line 3: clusterName: must be text, but is a list\na.yaml: document 2, line 8: b: unknown field"},
		"reset":         {resetKind + "forced: true\n", "a.yaml: document 1, line 3: forced: unknown field\n  hint: did you mean force?"},
		"upgrade":       {"apiVersion: kubeadm.k8s.io/v1beta4\nkind: UpgradeConfiguration\ndiff: {contextLines: a}\n", "a.yaml: document 1, line 3: diff.contextLines: must be a whole number, but is text"},
		"empty":         {"", "a.yaml: no document was found in the file\n  hint: tripod config print init-defaults shows what one looks like"},
		"bad":           {clusterKind + "clusterName: [a]\n", "a.yaml: document 1, line 3: clusterName: must be text, but is a list"},
		"bad, not ours": {"kind: Pod\n", "a.yaml: document 1, line 1: kind: \"Pod\" is not known\n  hint: known are InitConfiguration, ClusterConfiguration, JoinConfiguration, UpgradeConfiguration, ResetConfiguration, KubeletConfiguration, KubeProxyConfiguration"},
		"twice":         {resetKind + "force: true\nforce: true\n", "a.yaml: document 1, line 4: force: given twice, first in line 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			equal(t, test.want, message(validate([]byte(test.file), "a.yaml")))
		})
	}
}

// The defaults that are printed are the ones that hold without a file.
func TestInitDefaults(t *testing.T) {
	t.Parallel()
	printed, err := config.InitDefaults(config.Machine{})
	equal(t, "", message(err))
	golden(t, "init-defaults.yaml", printed)

	placeholders := config.Machine{Hostname: "node", DefaultIP: netip.MustParseAddr("1.2.3.4"), Token: "abcdef.0123456789abcdef"}
	without, _, err := config.Load(nil, "", config.Overrides{}, placeholders)
	equal(t, "", message(err))
	with, warnings, err := config.Load(printed, "init-defaults.yaml", config.Overrides{}, config.Machine{})
	equal(t, "", message(err))
	equal(t, []string(nil), warnings)

	without.Init.TypeMeta, without.Cluster.TypeMeta = with.Init.TypeMeta, with.Cluster.TypeMeta
	without.Init.BootstrapTokens[0].Description = ""
	equal(t, without.Init, with.Init)
	equal(t, without.Cluster, with.Cluster)
	equal(t, without.Advertise.String(), with.Advertise.String())
}

// FuzzLoad: nothing that is written into a file makes Load panic or say nothing about a bad file.
func FuzzLoad(f *testing.F) {
	for _, path := range []string{"testdata/kind.yaml", "testdata/every-field.yaml", "testdata/kind-v0.30-control-plane.yaml", "testdata/v1beta3.yaml"} {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(clusterKind + "networking: {podSubnet: \"10.0.0.0/8,\"}\n"))
	f.Add([]byte(clusterKind + kubelet + "a: &a [*a, *a]\nb: {<<: *a}\n"))
	f.Add([]byte(everyPart))
	f.Add([]byte("? {a: b}\n: c\n---\n- ~\n---\n!!binary a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, _, err := config.Load(data, "fuzz.yaml", config.Overrides{}, machine())
		if err == nil && (!c.Advertise.IsValid() || len(c.Services) == 0 || c.Endpoint == "") {
			t.Errorf("no complaint, but %+v", c)
		}
		_ = message(validate(data, "fuzz.yaml"))
		_, _, err = config.LoadJoin(data, "fuzz.yaml", config.JoinOverrides{}, machine())
		_ = message(err)
		_, err = config.Migrate(data, "fuzz.yaml")
		_ = message(err)
		_, err = c.OfCluster(data, nil)
		_ = message(err)
		_, _, err = config.LoadUpgrade(data, "fuzz.yaml", config.UpgradeOverrides{Verb: "apply"}, machine())
		_ = message(err)
		_, _, err = livingMaster(t, livingCluster).WithDocuments(data, "fuzz.yaml")
		_ = message(err)
	})
}

func validate(data []byte, source string) error {
	_, err := config.Validate(data, source)
	return err
}
