package phases

import (
	"bytes"
	"crypto/x509"
	encoding "encoding/pem"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
)

// asked are the signing requests of a machine, and the files that were written for them.
func asked(t *testing.T, h *host.Host, c config.Config) ([]SigningRequest, []string) {
	t.Helper()
	requests, err := SigningRequests(h, c)
	if err != nil {
		t.Fatal(err)
	}
	var written []string
	for _, r := range requests {
		for _, change := range r.Changes {
			if err := change.Do(t.Context(), Site{Host: h}); err != nil {
				t.Fatal(err)
			}
			written = append(written, change.String())
		}
	}
	return requests, written
}

// readAll is the content of a file of the machine.
func readAll(t *testing.T, h *host.Host, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(h.Path(path))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// An authority elsewhere signs what it is asked for; with that in place a master has all that it needs, and keeps it.
func TestSigningRequestsMakeAMaster(t *testing.T) {
	t.Parallel()
	h, c := host.Open(t.TempDir()), pkiConfig()
	requests, written := asked(t, h, c)
	if len(requests) != 12 || len(written) != 24 {
		t.Errorf("%d requests, written:\n%s", len(requests), strings.Join(written, "\n"))
	}
	elsewhere := drawPKI(t, c)
	disk := DiskPKI{Pairs: map[string][2][]byte{}, Kubeconfigs: map[string][]byte{}}
	for _, name := range sharedAuthorities() {
		disk.Pairs[name] = [2][]byte{elsewhere.Pairs[name].CertPEM()}
	}
	for _, leaf := range pkiRequests(c) {
		if leaf.Issuer != "" && !notKubeadms(leaf.Name) {
			disk.sign(t, h, c, leaf, elsewhere.Pairs[leaf.Issuer])
		}
	}
	got, err := fillPKI(c, disk, pkiNow)
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range disk.Pairs {
		if !bytes.Equal(got.Pairs[name].CertPEM(), pair[0]) {
			t.Errorf("%s was not kept", name)
		}
	}
	for name := range disk.Kubeconfigs {
		if k, err := readKubeconfig(got.Kubeconfigs[name]); err != nil || len(k.ca) == 0 {
			t.Errorf("%s does not know its CA: %v", name, err)
		}
	}
}

// sign puts what the authority makes of a request beside its key.
func (d DiskPKI) sign(t *testing.T, h *host.Host, c config.Config, leaf certs.Request, ca certs.Pair) {
	t.Helper()
	block, _ := encoding.Decode(readAll(t, h, strings.TrimSuffix(leaf.Label, ".crt")+".csr"))
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: ca.Cert.SerialNumber, Subject: r.Subject, DNSNames: r.DNSNames, IPAddresses: r.IPAddresses,
		NotBefore: pkiNow, NotAfter: ca.Cert.NotAfter, ExtKeyUsage: leaf.Spec.Usages, KeyUsage: x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(nil, template, ca.Cert, r.PublicKey, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	signed := encoding.EncodeToMemory(&encoding.Block{Type: "CERTIFICATE", Bytes: der})
	if !strings.HasSuffix(leaf.Name, ".conf") {
		_, key := pairPaths(c, leaf.Name)
		d.Pairs[leaf.Name] = [2][]byte{signed, readAll(t, h, key)}
		return
	}
	file, err := clientcmd.Load(readAll(t, h, leaf.Label))
	if err != nil {
		t.Fatal(err)
	}
	file.AuthInfos[leaf.Spec.CommonName].ClientCertificateData = signed
	if d.Kubeconfigs[leaf.Name], err = clientcmd.Write(*file); err != nil {
		t.Fatal(err)
	}
}

// TestSigningRequestsAgain spoils what a first run has left and tells what the next one writes.
func TestSigningRequestsAgain(t *testing.T) {
	t.Parallel()
	const pkiDir, conf = "/etc/kubernetes/pki/", "/etc/kubernetes/"
	for name, test := range map[string]struct {
		remove  []string
		change  func(*config.Config)
		written []string
	}{
		"nothing": {},
		"a request is gone": {remove: []string{pkiDir + "etcd/peer.csr", conf + "admin.conf.csr"},
			written: []string{"create /etc/kubernetes/pki/etcd/peer.csr (0600)", "create /etc/kubernetes/admin.conf.csr (0600)"}},
		"a key is gone": {remove: []string{pkiDir + "apiserver.key"},
			written: []string{"create /etc/kubernetes/pki/apiserver.key (0600)", "replace /etc/kubernetes/pki/apiserver.csr (0600)"}},
		"a further name": {change: func(c *config.Config) { c.Cluster.APIServer.CertSANs = []string{"api.example.org"} },
			written: []string{"replace /etc/kubernetes/pki/apiserver.csr (0600)"}},
		"another kind of key": {change: func(c *config.Config) { c.Cluster.EncryptionAlgorithm = "ECDSA-P384" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, c := host.Open(t.TempDir()), pkiConfig()
			asked(t, h, c)
			for _, path := range test.remove {
				lay(t, h, path, "")
			}
			if test.change != nil {
				test.change(&c)
			}
			_, written := asked(t, h, c)
			if diff := cmp.Diff(test.written, written); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// A whole master's keys are asked for as they are, the kubelet's in the file that it rotates, and nothing else is touched.
func TestSigningRequestsOfAMaster(t *testing.T) {
	t.Parallel()
	pki := drawPKI(t, pkiConfig())
	h, c := laid(t, pki)
	requests, written := asked(t, h, c)
	if len(written) != 12 || slices.ContainsFunc(written, func(w string) bool { return !strings.HasSuffix(w, ".csr (0600)") }) {
		t.Errorf("written:\n%s", strings.Join(written, "\n"))
	}
	for _, r := range requests {
		block, _ := encoding.Decode(readAll(t, h, r.File))
		csr, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		asksForIt := func(p certs.Pair) bool {
			return certs.Fingerprint(csr.PublicKey) == certs.Fingerprint(p.Cert.PublicKey) && csr.Subject.String() == p.Cert.Subject.String()
		}
		if !slices.ContainsFunc(slices.Collect(maps.Values(pki.Pairs)), asksForIt) {
			t.Errorf("%s asks for %s with another key", r.Name, csr.Subject)
		}
	}
}

func TestSigningRequestsRefuse(t *testing.T) {
	t.Parallel()
	pki := drawPKI(t, pkiConfig())
	for name, test := range map[string]struct{ path, text, problem string }{
		"a key that is none":       {"/etc/kubernetes/pki/apiserver.key", "hello", "/etc/kubernetes/pki/apiserver.key: the key file holds no RSA or ECDSA private key in PEM\nhint: "},
		"a kubeconfig that's none": {"/etc/kubernetes/admin.conf", "{", "/etc/kubernetes/admin.conf: parsing the kubeconfig: "},
		"a kubelet without key":    {"/var/lib/kubelet/pki/kubelet-client-current.pem", "", "kubelet-client-current.pem, where its key should be, is not there"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, c := laid(t, pki)
			lay(t, h, test.path, test.text)
			_, err := SigningRequests(h, c)
			mentions(t, err, test.problem)
			if input := new(InputError); !errors.As(err, &input) {
				t.Errorf("%T is no bad input", err)
			}
		})
	}
}
