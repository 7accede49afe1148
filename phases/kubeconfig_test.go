package phases

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"tripod.dev/tripod/internal/config"
)

func TestKubeconfig(t *testing.T) {
	t.Parallel()
	endpoint := func(c *config.Config) { c.Endpoint = "lb.example.com:8443" }
	const current = "/var/lib/kubelet/pki/kubelet-client-current.pem"
	for name, test := range map[string]struct {
		file         string
		change       func(*config.Config)
		server, user string
		context      string
		files        string
	}{
		"admin":              {"admin.conf", endpoint, "https://lb.example.com:8443", "kubernetes-admin", "kubernetes-admin@kubernetes", ""},
		"super-admin":        {"super-admin.conf", endpoint, "https://lb.example.com:8443", "kubernetes-super-admin", "kubernetes-super-admin@kubernetes", ""},
		"controller-manager": {"controller-manager.conf", endpoint, "https://10.0.0.1:6443", "system:kube-controller-manager", "system:kube-controller-manager@kubernetes", ""},
		"scheduler":          {"scheduler.conf", endpoint, "https://10.0.0.1:6443", "system:kube-scheduler", "system:kube-scheduler@kubernetes", ""},
		"kubelet":            {"kubelet.conf", endpoint, "https://10.0.0.1:6443", "system:node:node-1", "system:node:node-1@kubernetes", current},
		"no endpoint":        {"admin.conf", func(*config.Config) {}, "https://10.0.0.1:6443", "kubernetes-admin", "kubernetes-admin@kubernetes", ""},
		"IPv6":               {"scheduler.conf", ipv6, "https://[fd00::1]:6443", "system:kube-scheduler", "system:kube-scheduler@kubernetes", ""},
		"cluster name": {"admin.conf", func(c *config.Config) { c.Cluster.ClusterName = "prod" },
			"https://10.0.0.1:6443", "kubernetes-admin", "kubernetes-admin@prod", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := pkiConfig(test.change)
			p := drawPKI(t, c)
			client := p.Pairs[test.file]
			auth := &api.AuthInfo{ClientCertificate: test.files, ClientKey: test.files}
			if test.files == "" {
				auth.ClientCertificateData, auth.ClientKeyData = client.CertPEM(), pem(t, client)
			}
			want := &api.Config{
				CurrentContext: test.context,
				Contexts:       map[string]*api.Context{test.context: {Cluster: c.Cluster.ClusterName, AuthInfo: test.user}},
				Clusters:       map[string]*api.Cluster{c.Cluster.ClusterName: {Server: test.server, CertificateAuthorityData: p.Pairs["ca"].CertPEM()}},
				AuthInfos:      map[string]*api.AuthInfo{test.user: auth},
			}
			got, err := clientcmd.Load(p.Kubeconfigs[test.file])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestKubeconfigHoldsTheBundle: kubeadm embeds the first certificate only, and cuts off those whose CA is being replaced.
func TestKubeconfigHoldsTheBundle(t *testing.T) {
	t.Parallel()
	c := pkiConfig()
	p := drawPKI(t, c)
	ca := p.Pairs["ca"]
	ca.Chain = append(slices.Clone(ca.Chain), issue(t, request(t, c, "ca").Spec, nil).Cert)
	data, err := kubeconfig("admin.conf", c, ca, p.Pairs["admin.conf"])
	if err != nil {
		t.Fatal(err)
	}
	k, err := readKubeconfig(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(2, len(k.ca)); diff != "" {
		t.Errorf("certificates of the CA, -want +got:\n%s", diff)
	}
}

// TestKeepKubeconfig changes one thing of a kubeconfig and tells whether the file can stay.
func TestKeepKubeconfig(t *testing.T) {
	t.Parallel()
	c := pkiConfig(func(c *config.Config) { c.Endpoint = "lb.example.com:8443" })
	p := drawPKI(t, c)
	for name, test := range map[string]struct {
		file   string
		change func(*api.Config, *api.Cluster, *api.AuthInfo)
		kept   bool
	}{
		"untouched":            {"admin.conf", func(*api.Config, *api.Cluster, *api.AuthInfo) {}, true},
		"another context more": {"admin.conf", func(f *api.Config, _ *api.Cluster, _ *api.AuthInfo) { f.Contexts["x"] = &api.Context{} }, true},
		"another CA more": {"admin.conf", func(_ *api.Config, c *api.Cluster, _ *api.AuthInfo) {
			c.CertificateAuthorityData = append(c.CertificateAuthorityData, p.Pairs["etcd/ca"].CertPEM()...)
		}, true},
		"no CA":          {"admin.conf", func(_ *api.Config, c *api.Cluster, _ *api.AuthInfo) { c.CertificateAuthorityData = nil }, false},
		"another server": {"admin.conf", func(_ *api.Config, c *api.Cluster, _ *api.AuthInfo) { c.Server = "https://10.0.0.1:6443" }, false},
		"kubelet by endpoint": {"kubelet.conf", func(_ *api.Config, c *api.Cluster, _ *api.AuthInfo) {
			c.Server = "https://lb.example.com:8443"
		}, false},
		"kubelet, elsewhere": {"kubelet.conf", func(_ *api.Config, _ *api.Cluster, a *api.AuthInfo) {
			a.ClientCertificate, a.ClientKey = "/a", "/a"
		}, false},
		"client by token": {"admin.conf", func(_ *api.Config, _ *api.Cluster, a *api.AuthInfo) {
			*a = api.AuthInfo{Token: "x"}
		}, false},
		"another client": {"admin.conf", func(_ *api.Config, _ *api.Cluster, a *api.AuthInfo) {
			a.ClientCertificateData, a.ClientKeyData = p.Pairs["scheduler.conf"].CertPEM(), pem(t, p.Pairs["scheduler.conf"])
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, err := clientcmd.Load(p.Kubeconfigs[test.file])
			if err != nil {
				t.Fatal(err)
			}
			context := file.Contexts[file.CurrentContext]
			test.change(file, file.Clusters[context.Cluster], file.AuthInfos[context.AuthInfo])
			old, err := clientcmd.Write(*file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := keepKubeconfig(test.file, c, p, old)
			if err != nil {
				t.Fatal(err)
			}
			if kept := string(got) == string(old); kept != test.kept {
				t.Errorf("kept: %t, want %t", kept, test.kept)
			}
			if !test.kept && string(got) != string(p.Kubeconfigs[test.file]) {
				t.Errorf("got\n%s\nwant it as at first", got)
			}
		})
	}
}
