package e2e

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/e2e/lab"
)

// expiring is the configuration of a master that is never started.
const expiring = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration: {name: m1, criSocket: "unix:///run/containerd/containerd.sock"}
localAPIEndpoint: {advertiseAddress: 192.0.2.1}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
encryptionAlgorithm: ECDSA-P256
apiServer: {certSANs: [api.example.org, 192.0.2.9]}
etcd: {local: {serverCertSANs: [etcd.example.org]}}
`

// rooted is a folder that kubeadm and tripod take for the whole file system.
type rooted struct{ dir string }

// newRooted has both programs and a configuration in it. Whoever is not root needs a namespace to go there.
func newRooted(t *testing.T) rooted {
	t.Helper()
	l := newLab(t)
	r := rooted{t.TempDir()}
	for name, from := range map[string]string{"kubeadm": l.Component(lab.Default, "kubeadm"), "tripod": l.Tripod()} {
		if err := copyProgram(from, r.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"tmp", "proc"} {
		if err := os.Mkdir(r.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(r.path("master.yaml"), []byte(expiring), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

func (r rooted) path(name string) string { return filepath.Join(r.dir, name) }

// run runs one of the programs in the folder, and returns what it prints.
func (r rooted) run(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	argv := append([]string{r.path(program), "--rootfs", r.dir}, args...)
	if os.Getuid() != 0 {
		argv = append([]string{"unshare", "--user", "--map-root-user"}, argv...)
	}
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, out, errs.String())
	}
	return out
}

// expirationDocument are the fields that kubeadm prints.
type expirationDocument struct {
	Kind, APIVersion                     string
	Certificates, CertificateAuthorities []expirationEntry
}

type expirationEntry struct {
	Name, CAName               string
	ExpirationDate             *time.Time
	ResidualTime               int64
	ExternallyManaged, Missing bool
}

// expirations are what a program says of the folder's certificates.
func (r rooted) expirations(t *testing.T, program string) expirationDocument {
	t.Helper()
	var d expirationDocument
	if err := json.Unmarshal(r.run(t, program, "certs", "check-expiration", "--config", "/master.yaml", "-o", "json"), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// Of all that kubeadm has made, tripod says what kubeadm says; and of the kubelet's, of which kubeadm says nothing.
func TestExpirationsAsKubeadm(t *testing.T) {
	t.Parallel()
	r := newRooted(t)
	r.run(t, "kubeadm", "init", "phase", "certs", "all", "--config", "/master.yaml")
	r.run(t, "kubeadm", "init", "phase", "kubeconfig", "all", "--config", "/master.yaml")
	pki := "etc/kubernetes/pki/"
	for _, step := range []struct {
		name   string
		remove []string
	}{
		{"whole", nil},
		{"some are missing", []string{"etc/kubernetes/admin.conf", pki + "apiserver-kubelet-client.crt", pki + "apiserver.key"}},
		{"external authorities", []string{pki + "etcd/ca.key", pki + "front-proxy-ca.key"}},
		{"no kubelet", []string{"etc/kubernetes/kubelet.conf"}},
	} {
		for _, name := range step.remove {
			if err := os.Remove(r.path(name)); err != nil {
				t.Fatal(err)
			}
		}
		kubeadm, tripod := r.expirations(t, "kubeadm"), r.expirations(t, "tripod")
		kubelets := slices.IndexFunc(tripod.Certificates, func(e expirationEntry) bool { return e.Name == "kubelet.conf" })
		if (kubelets >= 0) == (step.name == "no kubelet") {
			t.Errorf("%s: %d is the kubelet's", step.name, kubelets)
		}
		tripod.Certificates = slices.DeleteFunc(tripod.Certificates, func(e expirationEntry) bool { return e.Name == "kubelet.conf" })
		nearly := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".ResidualTime" },
			cmp.Comparer(func(a, b int64) bool { return max(a-b, b-a) < 600 })) // they look one after the other
		if diff := cmp.Diff(kubeadm, tripod, nearly); diff != "" {
			t.Errorf("%s: -kubeadm +tripod:\n%s", step.name, diff)
		}
	}
}

// asksFor is what a signing request says, but for its key.
type asksFor struct {
	Subject  string
	DNSNames []string
	IPs      []string
	Mode     os.FileMode
}

// requests are the signing requests in a folder, by their paths.
func (r rooted) requests(t *testing.T, dir string) map[string]asksFor {
	t.Helper()
	found := map[string]asksFor{}
	err := filepath.WalkDir(r.path(dir), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, _ := filepath.Rel(r.path(dir), path)
		info, err := e.Info()
		if err != nil {
			return err
		}
		found[name] = asksFor{Mode: info.Mode()}
		if filepath.Ext(path) == ".csr" {
			found[name] = readRequest(t, path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func readRequest(t *testing.T, path string, mode os.FileMode) asksFor {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s holds no PEM", path)
	}
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	asks := asksFor{Subject: r.Subject.String(), DNSNames: r.DNSNames, Mode: mode}
	for _, ip := range r.IPAddresses {
		asks.IPs = append(asks.IPs, ip.String())
	}
	slices.Sort(asks.IPs)
	return asks
}

// Both ask an authority elsewhere for the same, in the same files.
func TestSigningRequestsAsKubeadm(t *testing.T) {
	t.Parallel()
	r := newRooted(t)
	for _, program := range []string{"kubeadm", "tripod"} {
		r.run(t, program, "certs", "generate-csr", "--config", "/master.yaml", "--cert-dir", "/made/"+program+"/pki", "--kubeconfig-dir", "/made/"+program)
	}
	if diff := cmp.Diff(r.requests(t, "made/kubeadm"), r.requests(t, "made/tripod")); diff != "" {
		t.Errorf("-kubeadm +tripod:\n%s", diff)
	}
}
