package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// A sandbox whose certificates have all expired comes back with its data, whether its masters were stopped by then or still
// serve each other over connections that are older: they are renewed on all disks before any master is proved.
func TestSandboxExpired(t *testing.T) {
	t.Parallel()
	s := newMastersSandbox(t, "expired", 3)
	writeConfigMap(t, s.Kubectl, "kept")
	if drill() {
		expire(t, s)
		wantSandboxRenewed(t, s, "up")
	}
	must(t)(s.Run(t.Context(), "stop", "m1", "m2", "m3"))
	expire(t, s)
	wantSandboxRenewed(t, s, "start", "m1", "m2", "m3")
}

// wantSandboxRenewed wants a verb to bring a sandbox of expired certificates back, and to need no second one for it.
func wantSandboxRenewed(t *testing.T, s *lab.Sandbox, verb string, args ...string) {
	t.Helper()
	if componentsExpired(t, s) == 0 {
		t.Fatal("status tells of no expired certificate")
	}
	out := must(t)(s.Run(t.Context(), verb, args...))
	if !strings.Contains(out, "have ended or are about to, and are renewed: admin.conf, apiserver,") {
		t.Errorf("it is not told what is renewed:\n%s", out)
	}
	if left := componentsExpired(t, s); left > 0 {
		t.Errorf("%d components still have expired certificates", left)
	}
	if err := os.Remove(filepath.Join(s.State(), "kubeconfig")); err != nil { // which has expired, too
		t.Fatal(err)
	}
	wantConfigMap(t, s.Kubectl, "kept")
	wantVoters(t, s, 3)
	wantNoChange(t, s)
}

// componentsExpired is how many components have a certificate that has expired, as status tells.
func componentsExpired(t *testing.T, s *lab.Sandbox) int {
	t.Helper()
	var status struct {
		Components []struct{ Expires time.Time }
	}
	if err := json.Unmarshal([]byte(must(t)(s.Run(t.Context(), "status", "-o", "json"))), &status); err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, c := range status.Components {
		if !c.Expires.IsZero() && c.Expires.Before(time.Now()) {
			count++
		}
	}
	return count
}

// expire replaces the leaf certificates of all masters by such as have expired, of the same keys.
func expire(t *testing.T, s *lab.Sandbox) {
	t.Helper()
	for _, m := range mastersOf(t, s) {
		etc := filepath.Join(s.Folder(), m.Name, "etc/kubernetes")
		authorities := map[string]authority{}
		for _, name := range []string{"ca", "front-proxy-ca", "etcd/ca"} {
			a := readAuthority(t, filepath.Join(etc, "pki", name))
			authorities[a.cert.Subject.CommonName] = a
		}
		err := filepath.WalkDir(etc, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, expired(t, path, data, authorities), 0o600)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// authority signs.
type authority struct {
	cert *x509.Certificate
	key  any
}

func readAuthority(t *testing.T, path string) authority {
	t.Helper()
	block := func(path string) []byte {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := pem.Decode(data)
		return b.Bytes
	}
	cert, err := x509.ParseCertificate(block(path + ".crt"))
	if err != nil {
		t.Fatal(err)
	}
	der := block(path + ".key")
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return authority{cert, key}
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

var clientData = regexp.MustCompile(`client-certificate-data: ([A-Za-z0-9+/=]+)`)

// expired is the file with its leaf certificate expired; any other file as it is.
func expired(t *testing.T, path string, data []byte, authorities map[string]authority) []byte {
	t.Helper()
	switch filepath.Ext(path) {
	case ".crt":
		return expiredPEM(t, data, authorities)
	case ".conf":
		found := clientData.FindSubmatch(data)
		if found == nil {
			return data
		}
		text, err := base64.StdEncoding.DecodeString(string(found[1]))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Replace(data, found[1], []byte(base64.StdEncoding.EncodeToString(expiredPEM(t, text, authorities))), 1)
	}
	return data
}

func expiredPEM(t *testing.T, data []byte, authorities map[string]authority) []byte {
	t.Helper()
	block, _ := pem.Decode(data)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	by, known := authorities[cert.Issuer.CommonName]
	if cert.IsCA || !known {
		return data
	}
	cert.NotBefore, cert.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, cert, by.cert, cert.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
