package phases

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
)

// drawPKI is what a first run draws on an empty disk.
func drawPKI(t testing.TB, c config.Config) PKI {
	t.Helper()
	p, err := fillPKI(c, DiskPKI{}, pkiNow)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// onDisk is the disk after p has been written to it.
func onDisk(t testing.TB, p PKI) DiskPKI {
	t.Helper()
	d := DiskPKI{Pairs: map[string][2][]byte{}, Kubeconfigs: maps.Clone(p.Kubeconfigs), SAKey: p.SA.PrivatePEM(), SAPub: p.SA.PublicPEM(), KubeletClient: p.KubeletClient}
	for name, pair := range p.Pairs {
		if !strings.HasSuffix(name, ".conf") {
			d.Pairs[name] = [2][]byte{pair.CertPEM(), pem(t, pair)}
		}
	}
	return d
}

func pem(t testing.TB, p certs.Pair) []byte {
	t.Helper()
	key, err := p.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func issue(t testing.TB, spec certs.Spec, issuer *certs.Pair) certs.Pair {
	t.Helper()
	p, err := certs.Issue(spec, issuer, pkiNow)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// written are the files of p by path-like names.
func written(t testing.TB, p PKI) map[string]string {
	t.Helper()
	files := map[string]string{"sa.key": string(p.SA.PrivatePEM()), "sa.pub": string(p.SA.PublicPEM()), "kubelet-client-current.pem": string(p.KubeletClient)}
	for name, data := range p.Kubeconfigs {
		files[name] = string(data)
	}
	for name, pair := range p.Pairs {
		if !strings.HasSuffix(name, ".conf") {
			files[name+".crt"], files[name+".key"] = string(pair.CertPEM()), string(pem(t, pair))
		}
	}
	return files
}

// replaced are the names of files that differ, sorted.
func replaced(old, new map[string]string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(new)) {
		if old[name] != new[name] {
			names = append(names, name)
		}
	}
	return names
}

// TestFillPKIKeeps changes the disk or the configuration after a first run, and tells which files a second one makes anew.
func TestFillPKIKeeps(t *testing.T) {
	t.Parallel()
	c := pkiConfig()
	first := drawPKI(t, c)
	another := issue(t, request(t, c, "ca").Spec, nil)
	allConfs := []string{"admin.conf", "controller-manager.conf", "kubelet.conf", "scheduler.conf", "super-admin.conf"}

	for name, test := range map[string]struct {
		disk   func(*DiskPKI)
		config func(*config.Config)
		later  time.Duration
		want   []string
	}{
		"nothing changed": {},
		"leaf gone":       {disk: func(d *DiskPKI) { delete(d.Pairs, "etcd/peer") }, want: []string{"etcd/peer.crt", "etcd/peer.key"}},
		"leaf without certificate": {disk: func(d *DiskPKI) { d.Pairs["etcd/peer"] = [2][]byte{nil, d.Pairs["etcd/peer"][1]} },
			want: []string{"etcd/peer.crt", "etcd/peer.key"}},
		"kubeconfig gone":     {disk: func(d *DiskPKI) { delete(d.Kubeconfigs, "admin.conf") }, want: []string{"admin.conf"}},
		"kubelet.conf gone":   {disk: func(d *DiskPKI) { delete(d.Kubeconfigs, "kubelet.conf") }},
		"kubelet's pair gone": {disk: func(d *DiskPKI) { d.KubeletClient = nil }, want: []string{"kubelet-client-current.pem"}},
		"sa.pub gone":         {disk: func(d *DiskPKI) { d.SAPub = nil }},
		"sa gone":             {disk: func(d *DiskPKI) { d.SAPub, d.SAKey = nil, nil }, want: []string{"sa.key", "sa.pub"}},
		"CA bundle": {disk: func(d *DiskPKI) {
			d.Pairs["ca"] = [2][]byte{slices.Concat(first.Pairs["ca"].CertPEM(), another.CertPEM()), d.Pairs["ca"][1]}
		}, want: slices.Concat([]string{"admin.conf", "ca.crt"}, allConfs[1:])},
		"comments":         {disk: comment, want: []string{"apiserver.crt", "apiserver.key", "ca.crt", "kubelet-client-current.pem", "sa.pub"}},
		"new endpoint":     {config: func(c *config.Config) { c.Endpoint = "lb.a.org:443" }, want: []string{"admin.conf", "apiserver.crt", "apiserver.key", "super-admin.conf"}},
		"new cluster name": {config: func(c *config.Config) { c.Cluster.ClusterName = "other" }},
		"new algorithm":    {config: func(c *config.Config) { c.Cluster.EncryptionAlgorithm = "RSA-4096" }},
		"older Kubernetes": {config: func(c *config.Config) { c.Version.Minor = 35 }, want: []string{"apiserver-kubelet-client.crt", "apiserver-kubelet-client.key"}},
		"a day later":      {later: 24 * time.Hour},
		"two years later": {later: 2 * 8760 * time.Hour, want: slices.Sorted(slices.Values(slices.Concat(
			[]string{"kubelet-client-current.pem", "admin.conf", "controller-manager.conf", "scheduler.conf", "super-admin.conf"},
			leafFiles(c))))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk, second := onDisk(t, first), c
			if test.disk != nil {
				test.disk(&disk)
			}
			if test.config != nil {
				test.config(&second)
			}
			got, err := fillPKI(second, disk, pkiNow.Add(test.later))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, replaced(written(t, first), written(t, got))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			settled, err := fillPKI(second, onDisk(t, got), pkiNow.Add(test.later))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string(nil), replaced(written(t, got), written(t, settled))); diff != "" {
				t.Errorf("a third run would still change: %s", diff)
			}
		})
	}
}

// comment writes into files what readers skip; the bytes have to stay.
func comment(d *DiskPKI) {
	note := []byte("# by hand\n")
	for _, name := range []string{"ca", "apiserver"} {
		p := d.Pairs[name]
		p[0] = slices.Concat(note, p[0])
		if name != "ca" {
			p[1] = slices.Concat(note, p[1])
		}
		d.Pairs[name] = p
	}
	d.KubeletClient = slices.Concat(note, d.KubeletClient)
	d.SAPub = slices.Concat(d.SAPub, note)
}

func leafFiles(c config.Config) []string {
	var files []string
	for _, r := range pkiRequests(c) {
		if r.Issuer != "" && r.Name != kubeletServing && !strings.HasSuffix(r.Name, ".conf") {
			files = append(files, r.Name+".crt", r.Name+".key")
		}
	}
	return files
}

func TestFillPKIRefuses(t *testing.T) {
	t.Parallel()
	c := pkiConfig()
	first := drawPKI(t, c)
	other := drawPKI(t, c)
	for name, test := range map[string]struct {
		disk  func(*DiskPKI)
		later time.Duration
		want  []string
	}{
		"CA expired": {func(*DiskPKI) {}, 11 * 8760 * time.Hour, []string{"ca: the certificate authority CN=kubernetes expired on 2036-02-27T12:00:00Z",
			"front-proxy-ca: the certificate authority", "etcd/ca: the certificate authority"}},
		"key of another": {func(d *DiskPKI) { d.Pairs["apiserver"] = [2][]byte{d.Pairs["apiserver"][0], d.Pairs["etcd/peer"][1]} }, 0,
			[]string{"apiserver: the certificate does not match its key"}},
		"CA's key of another": {func(d *DiskPKI) { d.Pairs["ca"] = [2][]byte{d.Pairs["ca"][0], d.Pairs["etcd/ca"][1]} }, 0,
			[]string{"ca: the certificate does not match its key"}},
		"leaf of another cluster": {func(d *DiskPKI) { d.Pairs["etcd/peer"] = onDisk(t, other).Pairs["etcd/peer"] }, 0,
			[]string{"etcd/peer: the certificate was not signed by CN=etcd-ca"}},
		"kubeconfig of another cluster": {func(d *DiskPKI) { d.Kubeconfigs["admin.conf"] = other.Kubeconfigs["admin.conf"] }, 0,
			[]string{"admin.conf: the kubeconfig belongs to another cluster: its CA is sha256:"}},
		"kubelet's pair of another cluster": {func(d *DiskPKI) { d.KubeletClient = other.KubeletClient }, 0,
			[]string{"kubelet.conf: the certificate was not signed by CN=kubernetes"}},
		"broken kubeconfig":  {func(d *DiskPKI) { d.Kubeconfigs["admin.conf"] = []byte("}") }, 0, []string{"admin.conf: parsing the kubeconfig"}},
		"empty kubeconfig":   {func(d *DiskPKI) { d.Kubeconfigs["admin.conf"] = []byte{} }, 0, []string{"admin.conf: the kubeconfig's current context lacks"}},
		"torn kubelet's key": {func(d *DiskPKI) { d.KubeletClient = []byte("hello") }, 0, []string{"kubelet.conf: the kubelet's client certificate: "}},
		"CA's key alone":     {func(d *DiskPKI) { d.Pairs["ca"] = [2][]byte{nil, d.Pairs["ca"][1]} }, 0, []string{"ca: there is a key without its certificate\nhint: "}},
		"etcd's CA gone": {func(d *DiskPKI) { delete(d.Pairs, "etcd/ca") }, 0,
			[]string{"etcd/ca is missing, although there are certificates that it should have signed: etcd/server, etcd/peer, etcd/healthcheck-client, apiserver-etcd-client\nhint: "}},
		"sa.pub of another": {func(d *DiskPKI) { d.SAPub = other.SA.PublicPEM() }, 0, []string{"sa: the public key does not match the private key\nhint: "}},
		"sa.pub alone":      {func(d *DiskPKI) { d.SAKey = nil }, 0, []string{"sa.pub is there without sa.key\nhint: "}},
		"external CA": {func(d *DiskPKI) {
			d.Pairs["ca"] = [2][]byte{d.Pairs["ca"][0], nil}
			delete(d.Pairs, "apiserver")
			delete(d.Kubeconfigs, "admin.conf")
		}, 0, []string{"ca has no key here, and these would have to be issued by it: apiserver (missing), admin.conf (missing)\nhint: "}},
		"several": {func(d *DiskPKI) {
			d.SAKey = nil
			d.Pairs["apiserver"] = [2][]byte{[]byte("hello"), nil}
			delete(d.Pairs, "front-proxy-ca")
		}, 0, []string{"apiserver: parsing the certificate", "front-proxy-ca is missing", "sa.pub is there without sa.key"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := onDisk(t, first)
			test.disk(&disk)
			_, err := fillPKI(c, disk, pkiNow.Add(test.later))
			if err == nil {
				t.Fatal("no error")
			}
			short := strings.NewReplacer(c.Paths.PKI+"/", "", c.Paths.Kubernetes+"/", "", ".crt", "").Replace(err.Error())
			for _, want := range test.want {
				if !strings.Contains(short, "* "+want) {
					t.Errorf("%v\nlacks %q", err, want)
				}
			}
			if n := strings.Count(err.Error(), "\t* "); n != len(test.want) {
				t.Errorf("%v\nare %d errors, want %d", err, n, len(test.want))
			}
		})
	}
}

// TestFillPKIWithExternalCA has what somebody with an external CA hands over: all but the CA's key
// and the two serving certificates that kubeadm does not have.
func TestFillPKIWithExternalCA(t *testing.T) {
	t.Parallel()
	c := pkiConfig()
	first := drawPKI(t, c)
	disk := onDisk(t, first)
	caKey := disk.Pairs["ca"][1]
	disk.Pairs["ca"] = [2][]byte{disk.Pairs["ca"][0], nil}
	delete(disk.Pairs, "kube-controller-manager")
	delete(disk.Pairs, "kube-scheduler")

	external, err := fillPKI(c, disk, pkiNow)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"ca.key", "kube-controller-manager.crt", "kube-controller-manager.key", "kube-scheduler.crt", "kube-scheduler.key"}
	if diff := cmp.Diff(want, replaced(written(t, first), written(t, external))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	scheduler := external.Pairs["kube-scheduler"].Cert
	trust := x509.VerifyOptions{Roots: external.roots("kube-scheduler", "ca"), DNSName: "localhost", CurrentTime: pkiNow}
	if _, err := scheduler.Verify(trust); err != nil {
		t.Errorf("the prober does not trust the scheduler: %v", err)
	}

	again := onDisk(t, external)
	settled, err := fillPKI(c, again, pkiNow)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string(nil), replaced(written(t, external), written(t, settled))); diff != "" {
		t.Errorf("a second run would change: %s", diff)
	}

	again.Pairs["ca"] = [2][]byte{again.Pairs["ca"][0], caKey}
	back, err := fillPKI(c, again, pkiNow)
	if err != nil {
		t.Fatal(err)
	}
	if got := back.Pairs["kube-scheduler"].Cert.Issuer.CommonName; got != "kubernetes" {
		t.Errorf("with the CA's key back the scheduler's certificate is signed by %s", got)
	}
}

func TestFillPKISigningKeyIsRSA(t *testing.T) {
	t.Parallel()
	key, ok := drawPKI(t, pkiConfig()).SA.Private.(*rsa.PrivateKey)
	if !ok || key.N.BitLen() != 2048 {
		t.Errorf("sa.key is %T, want RSA with 2048 bits", key)
	}
}

// TestFillPKIAdoptsKubeadms: kubeadm's init leaves a kubelet.conf with the certificate in it until it finishes.
func TestFillPKIAdoptsKubeadms(t *testing.T) {
	t.Parallel()
	c := pkiConfig()
	first := drawPKI(t, c)
	embedded, err := kubeconfig("admin.conf", c, first.Pairs["ca"], first.Pairs["kubelet.conf"])
	if err != nil {
		t.Fatal(err)
	}
	disk := onDisk(t, first)
	disk.Kubeconfigs["kubelet.conf"], disk.KubeletClient = embedded, nil
	got, err := fillPKI(c, disk, pkiNow)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string(nil), replaced(written(t, first), written(t, got))); diff != "" {
		t.Errorf("the kubelet's certificate was not kept: %s", diff)
	}
	if bytes.Contains(got.Kubeconfigs["kubelet.conf"], []byte("client-key-data")) {
		t.Error("kubelet.conf still holds a key")
	}
}

// BenchmarkCertificates draws all certificates of a master, which is what tripod promises to do in 100 ms.
func BenchmarkCertificates(b *testing.B) {
	for b.Loop() {
		if _, err := certs.Fill(pkiRequests(pkiConfig()), nil, pkiNow); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFillPKI draws the RSA key for service accounts too.
func BenchmarkFillPKI(b *testing.B) {
	for b.Loop() {
		drawPKI(b, pkiConfig())
	}
}
