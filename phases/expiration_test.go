package phases

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
)

// laid is a machine on whose disk everything of p lies.
func laid(t testing.TB, p PKI) (*host.Host, config.Config) {
	t.Helper()
	h, c := host.Open(t.TempDir()), pkiConfig()
	put := func(path string, data []byte) {
		if err := h.Mkdir(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.Path(path), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, pair := range p.Pairs {
		if !strings.HasSuffix(name, ".conf") {
			cert, key := pairPaths(c, name)
			put(cert, pair.CertPEM())
			put(key, pem(t, pair))
		}
	}
	for name, data := range p.Kubeconfigs {
		put(filepath.Join(c.Paths.Kubernetes, name), data)
	}
	put(kubeletClientPath(c), p.KubeletClient)
	return h, c
}

// lay writes a file of the machine, and takes it away where text is empty.
func lay(t testing.TB, h *host.Host, path, text string) {
	t.Helper()
	err := os.Remove(h.Path(path))
	if text != "" {
		err = errors.Join(h.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(h.Path(path), []byte(text), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// expirationLines are what is told of each certificate, by name.
func expirationLines(all []Expiration) map[string]string {
	lines := map[string]string{}
	for _, e := range all {
		line := e.Authority
		switch {
		case e.Missing:
			line = "missing"
		case e.Err != nil:
			line = e.Err.Error()
		case e.External:
			line += " external"
		}
		if e.IsAuthority() {
			line += " authority"
		}
		if !e.NotAfter.IsZero() {
			line += fmt.Sprintf(" %dh", int(e.NotAfter.Sub(pkiNow).Hours()))
		}
		lines[e.Name] = strings.TrimSpace(line)
	}
	return lines
}

// TestReadExpirations spoils a whole master's files and tells what is said otherwise then.
func TestReadExpirations(t *testing.T) {
	t.Parallel()
	pki := drawPKI(t, pkiConfig())
	const leaf, pkiDir, conf = " 8760h", "/etc/kubernetes/pki/", "/etc/kubernetes/"
	whole := map[string]string{
		"ca": "authority 87600h", "etcd-ca": "authority 87600h", "front-proxy-ca": "authority 87600h",
		"apiserver": "ca" + leaf, "apiserver-kubelet-client": "ca" + leaf, "apiserver-etcd-client": "etcd-ca" + leaf, "front-proxy-client": "front-proxy-ca" + leaf,
		"etcd-server": "etcd-ca" + leaf, "etcd-peer": "etcd-ca" + leaf, "etcd-healthcheck-client": "etcd-ca" + leaf,
		"admin.conf": "ca" + leaf, "super-admin.conf": "ca" + leaf, "controller-manager.conf": "ca" + leaf, "scheduler.conf": "ca" + leaf,
		"controller-manager": "ca" + leaf, "scheduler": "ca" + leaf, "kubelet": "ca" + leaf, "kubelet.conf": "ca" + leaf,
	}
	self := issue(t, certs.Spec{CommonName: "kube-scheduler", Usages: pki.Pairs["kube-scheduler"].Cert.ExtKeyUsage, Algorithm: certs.ECDSAP256, Validity: time.Hour}, nil)
	for name, test := range map[string]struct {
		files map[string]string // what is written; "" is removed
		want  map[string]string // what is different; "" is not listed
	}{
		"whole": {nil, nil},
		"missing": {map[string]string{pkiDir + "etcd/server.crt": "", conf + "super-admin.conf": ""},
			map[string]string{"etcd-server": "missing", "super-admin.conf": "missing"}},
		"kubeadm's": {map[string]string{pkiDir + "kube-scheduler.crt": "", pkiDir + "kube-controller-manager.crt": "", "/var/lib/kubelet/pki/kubelet.crt": ""},
			map[string]string{"scheduler": "", "controller-manager": "", "kubelet": ""}},
		"no kubelet":                            {map[string]string{conf + "kubelet.conf": "", "/var/lib/kubelet/pki/kubelet-client-current.pem": ""}, map[string]string{"kubelet.conf": ""}},
		"kubelet.conf as kubeadm's init begins": {map[string]string{conf + "kubelet.conf": string(pki.Kubeconfigs["scheduler.conf"]), "/var/lib/kubelet/pki/kubelet-client-current.pem": ""}, nil},
		"an external authority": {map[string]string{pkiDir + "etcd/ca.key": ""}, map[string]string{"etcd-ca": "external authority 87600h",
			"etcd-server": "etcd-ca external" + leaf, "etcd-peer": "etcd-ca external" + leaf, "etcd-healthcheck-client": "etcd-ca external" + leaf, "apiserver-etcd-client": "etcd-ca external" + leaf}},
		"an authority gone with its key": {map[string]string{pkiDir + "front-proxy-ca.crt": "", pkiDir + "front-proxy-ca.key": ""},
			map[string]string{"front-proxy-ca": "missing authority"}},
		"signed by itself": {map[string]string{pkiDir + "kube-scheduler.crt": string(self.CertPEM())}, map[string]string{"scheduler": "1h"}},
		"garbage": {map[string]string{pkiDir + "apiserver.crt": "hello", conf + "admin.conf": "{", conf + "scheduler.conf": "apiVersion: v1\nkind: Config\n"}, map[string]string{
			"apiserver":      pkiDir + "apiserver.crt: parsing the certificate: ",
			"admin.conf":     conf + "admin.conf: parsing the kubeconfig: ",
			"scheduler.conf": conf + "scheduler.conf: the kubeconfig's current context lacks its cluster or its user",
		}},
		"an empty file": {map[string]string{pkiDir + "apiserver.crt": "\n"}, map[string]string{"apiserver": pkiDir + "apiserver.crt: parsing the certificate: "}},
		"a kubeconfig without a certificate": {map[string]string{conf + "admin.conf": string(pki.Kubeconfigs["kubelet.conf"])},
			map[string]string{"admin.conf": conf + "admin.conf: the kubeconfig holds no client certificate"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, c := laid(t, pki)
			for path, text := range test.files {
				lay(t, h, path, text)
			}
			got := expirationLines(ReadExpirations(h, c))
			for name, line := range whole {
				if changed, is := test.want[name]; is {
					line = changed
				}
				if said, listed := got[name]; listed != (line != "") || !strings.HasPrefix(said, line) {
					t.Errorf("%s: %q, want %q", name, said, line)
				}
				delete(got, name)
			}
			if diff := cmp.Diff(map[string]string{}, got); diff != "" {
				t.Errorf("more than wanted: %s", diff)
			}
		})
	}
}

// What may not be read is told as that, and does not count as missing.
func TestExpirationsUnreadable(t *testing.T) {
	t.Parallel()
	denied := fmt.Errorf("read /etc/kubernetes/admin.conf: %w", fs.ErrPermission)
	all := expirations(pkiConfig(), map[string]storedCertificate{adminConf: {path: "/etc/kubernetes/admin.conf", err: denied}, kubeletConf: {err: denied}})
	for _, e := range all {
		if failed := e.Name == adminConf || e.Name == kubeletConf; failed == e.Missing || failed != errors.Is(e.Err, fs.ErrPermission) {
			t.Errorf("%s: missing %v, %v", e.Name, e.Missing, e.Err)
		}
	}
}

func TestExpirationWithin(t *testing.T) {
	t.Parallel()
	e := Expiration{NotAfter: pkiNow}
	if !e.Within(pkiNow) || !e.Within(pkiNow.Add(1)) || e.Within(pkiNow.Add(-1)) || (Expiration{Missing: true}).Within(pkiNow) {
		t.Error("it ends when it says")
	}
}

// What ends within a month is due, or what is in the last third of a shorter life; never an authority, nor what nobody can issue here.
func TestExpirationDue(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	valid := func(life time.Duration) *x509.Certificate {
		return &x509.Certificate{NotBefore: pkiNow, NotAfter: pkiNow.Add(life)}
	}
	for name, tt := range map[string]struct {
		e     Expiration
		after time.Duration
		want  bool
	}{
		"of a year, new":              {Expiration{pair: "apiserver", cert: valid(365 * day)}, 0, false},
		"of a year, with 31 days":     {Expiration{pair: "apiserver", cert: valid(365 * day)}, 334 * day, false},
		"of a year, with 29 days":     {Expiration{pair: "apiserver", cert: valid(365 * day)}, 336 * day, true},
		"of an hour, with half of it": {Expiration{pair: schedulerConf, cert: valid(time.Hour)}, 30 * time.Minute, false},
		"of an hour, at its end":      {Expiration{pair: schedulerConf, cert: valid(time.Hour)}, 50 * time.Minute, true},
		"expired":                     {Expiration{pair: "etcd/peer", cert: valid(365 * day)}, 366 * day, true},
		"an authority":                {Expiration{pair: etcdCA, cert: valid(365 * day)}, 366 * day, false},
		"of an external authority":    {Expiration{pair: "apiserver", cert: valid(365 * day), External: true}, 366 * day, false},
		"not there":                   {Expiration{pair: "apiserver", Missing: true}, 366 * day, false},
	} {
		if got := tt.e.Due(pkiNow.Add(tt.after)); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFirstEnds(t *testing.T) {
	t.Parallel()
	all := []Expiration{{pair: "etcd/server", NotAfter: pkiNow.Add(2)}, {pair: "etcd/peer", NotAfter: pkiNow.Add(1)}, {pair: "etcd/healthcheck-client"},
		{pair: "apiserver", NotAfter: pkiNow.Add(3)}, {pair: adminConf, NotAfter: pkiNow}}
	want := map[string]time.Time{"etcd": pkiNow.Add(1), "kube-apiserver": pkiNow.Add(3)}
	if diff := cmp.Diff(want, FirstEnds(all)); diff != "" {
		t.Error(diff)
	}
}

// AskUsed finds components by their manifests, and compares what they serve.
func TestAskUsed(t *testing.T) {
	t.Parallel()
	m := provable(t)
	h, c := laid(t, m.PKI)
	nothing := func(http.ResponseWriter, *http.Request) {}
	component := func(name string, flags ...string) {
		lay(t, h, filepath.Join(c.Paths.Manifests, name+".yaml"),
			"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: c\n    command: [c, "+strings.Join(flags, ", ")+"]\n")
	}
	same, other := serve(t, m, "apiserver", nothing), serve(t, m, "kube-controller-manager", nothing)
	etcd, peer := serve(t, m, "etcd/server", nothing), serve(t, m, "etcd/server", nothing)
	component("kube-apiserver", fmt.Sprintf("--secure-port=%d", same.Port()))
	component("kube-scheduler", "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", other.Port()))
	component("etcd", "--listen-client-urls=https://"+etcd.String(), "--initial-advertise-peer-urls=https://"+peer.String())
	component("kube-controller-manager", "--bind-address=127.66.9.9", "--secure-port=1")

	all := ReadExpirations(h, c)
	AskUsed(t.Context(), h, c, all)
	want := map[string]bool{"apiserver": true, "scheduler": false, "etcd-server": true, "etcd-peer": false}
	got := map[string]bool{}
	for _, e := range all {
		if e.Used != nil && e.Name != kubeletServing { // this machine may have a kubelet of its own
			got[e.Name] = *e.Used
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
