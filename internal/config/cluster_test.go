package config_test

import (
	"net/netip"
	"os"
	"testing"
	"time"

	"tripod.dev/tripod/internal/config"
)

func TestMigrate(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/v1beta3.yaml")
	equal(t, "", message(err))
	got, err := config.Migrate(data, "old.yaml")
	equal(t, "", message(err))
	golden(t, "v1beta3-migrated.yaml", got)
	again, err := config.Migrate(got, "new.yaml")
	equal(t, "", message(err))
	equal(t, string(got), string(again))

	// The file before and after means the same.
	for _, file := range [][]byte{data, got} {
		c, _, err := config.Load(file, "a.yaml", config.Overrides{}, machine())
		equal(t, "", message(err))
		equal(t, 6*time.Minute, c.Health)
		equal(t, []config.Arg{{Name: "anonymous-auth", Value: "false"}, {Name: "authorization-mode", Value: "Node,RBAC"}}, c.Cluster.APIServer.ExtraArgs)
		equal(t, []config.Arg{{Name: "quota-backend-bytes", Value: "1"}}, c.Cluster.Etcd.Local.ExtraArgs)
		j, _, err := config.LoadJoin(file, "a.yaml", config.JoinOverrides{}, machine())
		equal(t, "", message(err))
		equal(t, 30*time.Second, j.DiscoveryTimeout)
		equal(t, []config.Arg{{Name: "node-labels"}}, j.Node.Registration.KubeletExtraArgs)
	}
}

func TestBadV1beta3(t *testing.T) {
	t.Parallel()
	const cluster = "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\n"
	for name, test := range map[string]struct{ file, want string }{
		"of v1beta4": {cluster + "encryptionAlgorithm: RSA-2048\n",
			"a.yaml: document 1, line 3: encryptionAlgorithm: unknown field\n  hint: it is a field of kubeadm.k8s.io/v1beta4: tripod config migrate writes that"},
		"list for a map": {cluster + "scheduler:\n  extraArgs: [{name: a, value: b}]\n", "a.yaml: document 1, line 4: scheduler.extraArgs: must be a mapping, but is a list"},
		"number":         {cluster + "scheduler:\n  extraArgs:\n    v: 2\n", "a.yaml: document 1, line 5: scheduler.extraArgs.v: must be text, but is a number\n  hint: put it in quotes"},
		"line of a name": {cluster + "scheduler:\n  extraArgs:\n    z: a\n    --v: a\n",
			"a.yaml: document 1, line 6: scheduler.extraArgs[0].name: \"--v\" begins with a dash\n  hint: write the name without dashes: v"},
		"timeout": {cluster + "apiServer: {timeoutForControlPlane: 0s}\n", "a.yaml: document 1, line 3: timeouts.controlPlaneComponentHealthCheck: 0s is not more than 0"},
		"twice":   {cluster + "scheduler: {extraArgs: {a: b, a: c}}\n", "a.yaml: document 1, line 3: scheduler.extraArgs.a: given twice, first in line 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := config.Load([]byte(test.file), "a.yaml", config.Overrides{}, machine())
			equal(t, test.want, message(err))
		})
	}
}

// What init has uploaded is what join reads.
func TestClusterDocument(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/every-field.yaml")
	equal(t, "", message(err))
	c, _, err := config.Load(data, "a.yaml", config.Overrides{}, machine())
	equal(t, "", message(err))
	document, err := c.ClusterDocument()
	equal(t, "", message(err))
	golden(t, "every-field-cluster.yaml", document)

	joining, _, err := config.LoadJoin([]byte(joinKind+byFile), "j.yaml", config.JoinOverrides{}, machine())
	equal(t, "", message(err))
	got, err := joining.OfCluster(document, []byte("kind: KubeletConfiguration\nclusterDomain: a.b\n"))
	equal(t, "", message(err))
	again, err := got.ClusterDocument()
	equal(t, "", message(err))
	equal(t, string(document), string(again))
	equal(t, c.Version, got.Version)
	equal(t, c.Services, got.Services)
	equal(t, c.Pods, got.Pods)
	equal(t, c.Endpoint, got.Endpoint)
	equal(t, c.Image("pause"), got.Image("pause"))
	equal(t, any("a.b"), got.Kubelet["clusterDomain"])
	equal(t, joining.Node, got.Node)
	equal(t, joining.Join, got.Join)
}

func TestOfCluster(t *testing.T) {
	t.Parallel()
	joining, _, err := config.LoadJoin(nil, "", parsedJoin(t, "10.0.0.1:6443", "--token="+token, "--discovery-token-ca-cert-hash="+hash), machine())
	equal(t, "", message(err))
	old, err := os.ReadFile("testdata/v1beta3.yaml")
	equal(t, "", message(err))
	got, err := joining.OfCluster(old, nil)
	equal(t, "", message(err))
	equal(t, "10.0.0.1:6443", got.Endpoint)
	equal(t, "RSA-2048", got.Cluster.EncryptionAlgorithm)
	equal(t, "false", value(got.Cluster.APIServer.ExtraArgs, "anonymous-auth"))
	for name, test := range map[string]struct{ cluster, want string }{
		"newer fields":  {clusterKind + "kubernetesVersion: v1.36.3\nfuture: {a: 1}\n", ""},
		"other version": {clusterKind + "kubernetesVersion: v1.30.0\n", "ConfigMap kube-system/kubeadm-config: kubernetesVersion: v1.30.0 is not supported\n  hint: tripod runs 1.34, 1.35, 1.36"},
		"empty":         {"", "ConfigMap kube-system/kubeadm-config: holds no ClusterConfiguration"},
		"other kind":    {initKind, "ConfigMap kube-system/kubeadm-config: holds kubeadm.k8s.io/v1beta4 InitConfiguration\nhint: tripod reads ClusterConfiguration of kubeadm.k8s.io/v1beta4 and kubeadm.k8s.io/v1beta3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := joining.OfCluster([]byte(test.cluster), nil)
			equal(t, test.want, message(err))
		})
	}
}

// A further master has its files where the first one has them; in a sandbox, where all masters are on one machine, in its own places.
func TestPlacesOfCluster(t *testing.T) {
	t.Parallel()
	cluster := []byte(clusterKind + "kubernetesVersion: v1.36.3\ncertificatesDir: /m1/pki\netcd: {local: {dataDir: /m1/etcd}}\n")
	for name, test := range map[string]struct {
		overrides config.JoinOverrides
		pki, etcd string
	}{
		"machine": {config.JoinOverrides{AdvertiseAddress: "10.0.0.2"}, "/m1/pki", "/m1/etcd"},
		"sandbox": {config.JoinOverrides{Root: "/m2", Loopback: netip.MustParseAddr("127.3.0.2"), AdvertiseAddress: "127.3.0.2"},
			"/m2/etc/kubernetes/pki", "/m2/var/lib/etcd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := test.overrides
			o.ControlPlane, o.DiscoveryFile = true, "/admin.conf"
			joining, _, err := config.LoadJoin(nil, "", o, machine())
			equal(t, "", message(err))
			got, err := joining.OfCluster(cluster, nil)
			equal(t, "", message(err))
			equal(t, test.pki, got.Paths.PKI)
			equal(t, test.etcd, got.Paths.EtcdData)
		})
	}
}

func TestDefaultsOfVerbs(t *testing.T) {
	t.Parallel()
	for name, print := range map[string]func() ([]byte, error){
		"join-defaults.yaml":    func() ([]byte, error) { return config.JoinDefaults(config.Machine{}) },
		"reset-defaults.yaml":   func() ([]byte, error) { return config.ResetDefaults(config.Machine{}) },
		"upgrade-defaults.yaml": config.UpgradeDefaults,
		"init-defaults-components.yaml": func() ([]byte, error) {
			return config.InitDefaults(config.Machine{}, "KubeletConfiguration", "KubeProxyConfiguration")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := print()
			equal(t, "", message(err))
			golden(t, name, got)
			equal(t, "", message(validate(got, name)))
		})
	}
	_, err := config.InitDefaults(config.Machine{}, "Pod")
	equal(t, "there is no component configuration \"Pod\"\nhint: KubeletConfiguration, KubeProxyConfiguration", message(err))
}

func TestImageList(t *testing.T) {
	t.Parallel()
	all := []string{
		"registry.k8s.io/kube-apiserver:v1.36.3", "registry.k8s.io/kube-controller-manager:v1.36.3", "registry.k8s.io/kube-scheduler:v1.36.3",
		"registry.k8s.io/kube-proxy:v1.36.3", "registry.k8s.io/coredns/coredns:v1.14.2", "registry.k8s.io/pause:3.10.2", "registry.k8s.io/etcd:3.6.8-0",
	}
	equal(t, all, load(t, clusterKind).Images())
	equal(t, append(all[:3:3], all[5:]...), load(t, clusterKind+"dns: {disabled: true}\nproxy: {disabled: true}\n").Images())
}

func TestTokenDrawn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		overrides config.Overrides
		want      bool
	}{"drawn": {config.Overrides{}, true}, "given": {config.Overrides{Token: token}, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _, err := config.Load(nil, "", test.overrides, machine())
			equal(t, "", message(err))
			equal(t, test.want, c.TokenDrawn)
		})
	}
}

func TestUploadFlags(t *testing.T) {
	t.Parallel()
	c, warnings, err := config.Load(nil, "", parsed(t, "--upload-certs", "--skip-token-print", "--skip-certificate-key-print", "--certificate-key="+hash[7:]), machine())
	equal(t, "", message(err))
	equal(t, []string(nil), warnings)
	equal(t, []bool{true, true, true}, []bool{c.UploadCerts, c.SkipTokenPrint, c.SkipCertificateKeyPrint})
	_, warnings, err = config.Load(nil, "", parsed(t, "--certificate-key="+hash[7:]), machine())
	equal(t, "", message(err))
	equal(t, []string{"--certificate-key: encrypts nothing without --upload-certs"}, warnings)
}
