package discovery

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd/api"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/cluster"
)

const (
	signed   = "signed"
	unsigned = "unsigned"
	expired  = "expired"
)

// live is a cluster of real processes: etcd, kube-apiserver and a controller-manager that signs.
type live struct {
	dir, endpoint string
	pki           map[string]certs.Pair
	admin         *cluster.Client
	tokens        map[string]bootstrap.Token
}

func TestDiscoverRealCluster(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	pin := []string{bootstrap.CAHash(l.pki["ca"].Cert)}
	good := l.tokens[signed]
	other := bootstrap.Token{ID: good.ID, Secret: "0000000000000000"}
	file := l.file(t)
	tests := map[string]struct {
		source Source
		kind   Kind // "" for success
		within time.Duration
	}{
		"pinned":           {Source{Token: good, CAHashes: pin}, "", 3 * time.Second},
		"one pin of two":   {Source{Token: good, CAHashes: []string{"sha256:00", strings.ToUpper(pin[0])}}, "", 3 * time.Second},
		"unsafe":           {Source{Token: good, Unsafe: true}, "", 3 * time.Second},
		"file":             {Source{File: file, TLSToken: good}, "", 3 * time.Second},
		"wrong secret":     {Source{Token: other, CAHashes: pin}, BadToken, 3 * time.Second},
		"wrong pin":        {Source{Token: good, CAHashes: []string{"sha256:00"}}, BadCA, 3 * time.Second},
		"no pin":           {Source{Token: good}, BadCA, 3 * time.Second},
		"unknown":          {Source{Token: bootstrap.Token{ID: "000000", Secret: other.Secret}, CAHashes: pin}, BadToken, 3 * time.Second},
		"expired":          {Source{Token: l.tokens[expired], CAHashes: pin}, BadToken, 3 * time.Second},
		"not for signing":  {Source{Token: l.tokens[unsigned], CAHashes: pin}, Unsigned, 12 * time.Second},
		"unknown, unsafe":  {Source{Token: bootstrap.Token{ID: "000000", Secret: other.Secret}, Unsafe: true}, BadToken, 12 * time.Second},
		"file, no user":    {Source{File: file}, BadFile, 3 * time.Second},
		"file is not here": {Source{File: file + ".not"}, BadFile, 3 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.source.Endpoint = l.endpoint
			ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
			defer stop()
			begun := time.Now()
			f, err := Discover(ctx, test.source, nil)
			if took := time.Since(begun); took > test.within {
				t.Errorf("took %s", took)
			}
			checkKind(t, err, test.kind)
			if test.kind == "" {
				l.usable(t, f)
			}
		})
	}
}

// checkKind checks the kind of an error, and that it keeps the secrets.
func checkKind(t *testing.T, err error, want Kind) {
	t.Helper()
	var e *Error
	switch {
	case want == "" && err != nil, want != "" && (!errors.As(err, &e) || e.Kind != want):
		t.Fatalf("error %v, want kind %q", err, want)
	case err != nil && strings.Contains(err.Error(), "0000000000000000"):
		t.Errorf("the error shows a secret: %v", err)
	}
}

// usable asks the cluster with what was found.
func (l *live) usable(t *testing.T, f Found) {
	t.Helper()
	if f.Server != "https://"+l.endpoint || string(f.CA) != string(l.pki["ca"].CertPEM()) {
		t.Errorf("found %s, %s", f.Server, f.CA)
	}
	c, err := cluster.FromKubeconfig(f.Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Path(t.Context(), "/api"); err != nil {
		t.Errorf("the credentials found: %v", err)
	}
}

func (l *live) file(t *testing.T) string {
	f, err := new(inquiry).found(&api.Cluster{Server: "https://" + l.endpoint, CertificateAuthorityData: l.pki["ca"].CertPEM()}, &api.AuthInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return l.write(t, "discovery.conf", f.Kubeconfig)
}

func startLive(t *testing.T) *live {
	t.Helper()
	l := &live{dir: t.TempDir(), endpoint: freeAddress(t), tokens: map[string]bootstrap.Token{}}
	l.issue(t)
	etcd := freeAddress(t)
	l.run(t, "etcd", "--data-dir=etcd", "--unsafe-no-fsync", "--listen-client-urls=http://"+etcd, "--advertise-client-urls=http://"+etcd,
		"--listen-peer-urls=http://"+freeAddress(t), "--log-level=error")
	_, port, _ := net.SplitHostPort(l.endpoint)
	l.run(t, "kube-apiserver", "--etcd-servers=http://"+etcd, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port="+port,
		"--endpoint-reconciler-type=none", "--authorization-mode=RBAC", "--enable-bootstrap-token-auth=true", "--client-ca-file=ca.crt",
		"--tls-cert-file=server.crt", "--tls-private-key-file=server.key", "--service-account-issuer=https://a",
		"--service-account-key-file=server.key", "--service-account-signing-key-file=server.key", "--service-cluster-ip-range=10.96.0.0/16")
	l.run(t, "kube-controller-manager", "--kubeconfig=admin.conf", "--controllers=bootstrapsigner", "--leader-elect=false", "--secure-port=0")
	l.fill(t)
	return l
}

func (l *live) issue(t *testing.T) {
	t.Helper()
	server := certs.Spec{CommonName: "server", IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, Algorithm: certs.ECDSAP256, Validity: time.Hour}
	admin := certs.Spec{CommonName: "admin", Organization: []string{"system:masters"}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, Algorithm: certs.ECDSAP256, Validity: time.Hour}
	ca := certs.Spec{CommonName: "ca", CA: true, Algorithm: certs.ECDSAP256, Validity: time.Hour}
	pairs, err := certs.Fill([]certs.Request{{Name: "ca", Spec: ca}, {Name: "server", Spec: server, Issuer: "ca"}, {Name: "admin", Spec: admin, Issuer: "ca"}}, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l.pki = pairs
	l.write(t, "ca.crt", pairs["ca"].CertPEM())
	l.write(t, "server.crt", pairs["server"].CertPEM())
	l.write(t, "server.key", keyPEM(t, pairs["server"]))
	f, err := new(inquiry).found(&api.Cluster{Server: "https://" + l.endpoint, CertificateAuthorityData: pairs["ca"].CertPEM()},
		&api.AuthInfo{ClientCertificateData: pairs["admin"].CertPEM(), ClientKeyData: keyPEM(t, pairs["admin"])})
	if err != nil {
		t.Fatal(err)
	}
	l.write(t, "admin.conf", f.Kubeconfig)
	if l.admin, err = cluster.FromKubeconfig(f.Kubeconfig, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.admin.Close)
}

func keyPEM(t *testing.T, p certs.Pair) []byte {
	t.Helper()
	data, err := p.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (l *live) write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// fill makes what init makes for those who join, and waits for the signature.
func (l *live) fill(t *testing.T) {
	t.Helper()
	info, err := bootstrap.ClusterInfo("https://"+l.endpoint, l.pki["ca"].CertPEM())
	if err != nil {
		t.Fatal(err)
	}
	object := cluster.ConfigMap(bootstrap.InfoNamespace, bootstrap.InfoName)
	object.Object["data"] = map[string]any{bootstrap.InfoKey: info}
	const rbac = `{apiVersion: rbac.authorization.k8s.io/v1, kind: %s, metadata: {name: a, namespace: kube-public}, %s}`
	role, err := cluster.Parse(fmt.Appendf(nil, rbac, "Role", `rules: [{apiGroups: [""], resources: [configmaps], resourceNames: [cluster-info], verbs: [get]}]`))
	if err != nil {
		t.Fatal(err)
	}
	binding, err := cluster.Parse(fmt.Appendf(nil, rbac, "RoleBinding", `roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: a}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "system:anonymous"}]`))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 4*time.Minute) // it takes seconds; a busy machine takes a minute
	defer stop()
	both, soon := []string{bootstrap.Signing, bootstrap.Authentication}, time.Now().Add(time.Hour)
	records := map[string]bootstrap.Record{
		signed:   {Expires: soon, Usages: both},
		unsigned: {Expires: soon, Usages: both[1:]},
		expired:  {Expires: time.Now().Add(-time.Hour), Usages: both},
	}
	for name, r := range records {
		r.Token = bootstrap.DrawToken()
		l.tokens[name] = r.Token
		l.apply(ctx, t, r.Object().Object)
	}
	l.apply(ctx, t, object.Object)
	l.apply(ctx, t, role.Object)
	l.apply(ctx, t, binding.Object)
	l.checkSigned(ctx, t, info)
}

func (l *live) apply(ctx context.Context, t *testing.T, content map[string]any) {
	t.Helper()
	o := cluster.ConfigMap("", "")
	o.Object = content
	err := cluster.Insist(ctx, nil, func(ctx context.Context) error {
		_, err := l.admin.Apply(ctx, o)
		return err
	})
	if err != nil {
		t.Fatalf("%s %s: %v", o.GetKind(), o.GetName(), err)
	}
}

// checkSigned waits for the controller-manager's signature, and compares it with our own, byte for byte.
func (l *live) checkSigned(ctx context.Context, t *testing.T, info string) {
	t.Helper()
	token := l.tokens[signed]
	want, err := token.Sign(info)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	err = cluster.Insist(ctx, nil, func(ctx context.Context) error {
		o, err := l.admin.Get(ctx, cluster.ConfigMap(bootstrap.InfoNamespace, bootstrap.InfoName))
		if err != nil {
			return err
		}
		data, _ := o.Object["data"].(map[string]any)
		if got, _ = data[bootstrap.SignaturePrefix+token.ID].(string); got == "" {
			return cluster.Soon{Err: errors.New("not signed yet")}
		}
		return nil
	})
	if err != nil || got != want {
		t.Fatalf("signature %q, want %q: %v", got, want, err)
	}
}

func (l *live) run(t *testing.T, name string, args ...string) {
	t.Helper()
	binary, err := filepath.Abs("../../bin/components/v1.36.3/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Skipf("SKIPPED: there is no %s (make components builds it)", binary)
	}
	log, err := os.Create(filepath.Join(l.dir, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = l.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
		if data, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			lines := strings.Split(strings.TrimSpace(string(data)), "\n")
			t.Logf("%s:\n%s", name, strings.Join(lines[max(0, len(lines)-10):], "\n"))
		}
	})
}

// freeAddress is an address that nobody listens at just now.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
