package phases

import (
	"testing"
	"time"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/host"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	m := provable(t)
	admin := m.PKI.Pairs[adminConf].Summary()
	server := m.PKI.Pairs["etcd/server"]
	key, err := server.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	until := ", until " + server.Cert.NotAfter.UTC().Format(time.DateOnly)
	digest := certs.Fingerprint(server.Cert.PublicKey)
	for name, tt := range map[string]struct {
		path     string
		old, new []byte
		want     string
	}{
		"certificate":       {"/p/a.crt", nil, server.CertPEM(), "+/p/a.crt: certificate " + server.Summary() + until + "\n"},
		"key":               {"/p/a.key", nil, key, "+/p/a.key: private key " + digest + "\n"},
		"key in a yaml":     {"/p/a.yaml", nil, key, "+/p/a.yaml: private key " + digest + "\n"},
		"damaged key":       {"/p/a.key", []byte("x"), key, "-/p/a.key: neither a certificate nor a key\n+/p/a.key: private key " + digest + "\n"},
		"both":              {"/p/a.pem", nil, append(key, server.CertPEM()...), "+/p/a.pem: client certificate and key, " + server.Summary() + "\n"},
		"public key":        {"/p/sa.pub", nil, m.PKI.SA.PublicPEM(), "+/p/sa.pub: public key\n"},
		"kubeconfig":        {"/p/admin.conf", nil, m.PKI.Kubeconfigs[adminConf], "+/p/admin.conf: kubeconfig for https://10.0.0.1:6443 as " + admin + "\n"},
		"kubelet's":         {"/p/kubelet.conf", nil, m.PKI.Kubeconfigs[kubeletConf], "+/p/kubelet.conf: kubeconfig for https://10.0.0.1:6443 as the certificate in /var/lib/kubelet/pki/kubelet-client-current.pem\n"},
		"kubeconfig, token": {"/p/admin.conf", []byte(tokenKubeconfig), m.PKI.Kubeconfigs[adminConf], "-/p/admin.conf: kubeconfig for https://***@10.0.0.1\n+/p/admin.conf: kubeconfig for https://10.0.0.1:6443 as " + admin + "\n"},
		"no kubeconfig":     {"/p/admin.conf", []byte("token: abc"), m.PKI.Kubeconfigs[adminConf], "-/p/admin.conf: a kubeconfig that can't be read\n+/p/admin.conf: kubeconfig for https://10.0.0.1:6443 as " + admin + "\n"},
	} {
		var old host.File
		if tt.old != nil {
			old = host.File{Path: tt.path, Data: tt.old}
		}
		if got := describe(old, host.File{Path: tt.path, Data: tt.new}, contextLines); got != tt.want {
			t.Errorf("%s:\ngot  %swant %s", name, got, tt.want)
		}
	}
	if got := describe(host.File{}, host.File{Path: "/p/current.pem", Link: "x.pem"}, contextLines); got != "+/p/current.pem -> x.pem\n" {
		t.Errorf("link: %s", got)
	}
}

const tokenKubeconfig = `apiVersion: v1
kind: Config
current-context: c
clusters: [{name: k, cluster: {server: "https://me:secret@10.0.0.1"}}]
users: [{name: u, user: {token: abcdef.0123456789abcdef}}]
contexts: [{name: c, context: {cluster: k, user: u}}]
`

func TestRedacted(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"value: http://me:secret@proxy:3128":       "value: http://***@proxy:3128",
		"value: http://me:sec@ret@proxy/x@y":       "value: http://***@proxy/x@y",
		"value: me:secret@proxy:3128":              "value: ***@proxy:3128",
		`value: "me:secret@proxy:3128"`:            `value: "***@proxy:3128"`,
		"value: http://proxy:3128":                 "value: http://proxy:3128",
		"value: someone@example.com":               "value: someone@example.com",
		"image: registry:5000/etcd:3.6@sha256:00":  "image: registry:5000/etcd:3.6@sha256:00",
		"a https://u@one and socks5://p:q@two:1 b": "a https://***@one and socks5://***@two:1 b",
	} {
		if got := redacted(text); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}
