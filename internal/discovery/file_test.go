package discovery

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/bootstrap"
)

// kubeconfigOf is a discovery file for the server.
func kubeconfigOf(t *testing.T, s *httptest.Server, ca []byte, user *api.AuthInfo) []byte {
	t.Helper()
	f, err := new(inquiry).found(&api.Cluster{Server: s.URL, CertificateAuthorityData: ca}, user)
	if err != nil {
		t.Fatal(err)
	}
	return f.Kubeconfig
}

// A file is fetched by https from a server that this machine trusts, and from no other.
func TestFileByHTTPS(t *testing.T) {
	t.Parallel()
	var s *httptest.Server
	var files map[string][]byte
	var elsewhere map[string]string
	var asked int
	s, _ = fake(t, func(w http.ResponseWriter, r *http.Request) {
		data, exists := files[r.URL.Path]
		asked++
		switch {
		case r.URL.Path == "/starting" && asked < 3:
			w.WriteHeader(http.StatusServiceUnavailable)
		case elsewhere[r.URL.Path] != "":
			http.Redirect(w, r, elsewhere[r.URL.Path], http.StatusFound)
		case exists:
			_, _ = w.Write(data)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	good := kubeconfigOf(t, s, caPEM(s), &api.AuthInfo{Token: token.String()})
	files = map[string][]byte{
		"/good": good, "/starting": good, "/garbage": []byte("a: ["),
		"/nobody": kubeconfigOf(t, s, caPEM(s), &api.AuthInfo{}),
		"/ours":   kubeconfigOf(t, s, caPEM(s), &api.AuthInfo{TokenFile: "/etc/shadow"}),
		"/runs":   kubeconfigOf(t, s, caPEM(s), &api.AuthInfo{Exec: &api.ExecConfig{Command: "true", APIVersion: "client.authentication.k8s.io/v1"}}),
		"/no-ca":  kubeconfigOf(t, s, nil, &api.AuthInfo{Token: token.String()}),
	}
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(good) }))
	t.Cleanup(plain.Close)
	elsewhere = map[string]string{"/moved": s.URL + "/good", "/plain": plain.URL + "/good"}
	trusted := x509.NewCertPool()
	trusted.AddCert(s.Certificate())
	for _, tt := range []struct {
		path  string
		roots *x509.CertPool
		kind  Kind
	}{
		{"/good", trusted, ""}, {"/starting", trusted, ""}, {"/moved", trusted, ""}, {"/plain", trusted, BadFile}, {"/good", x509.NewCertPool(), BadCA}, {"/missing", trusted, BadFile}, {"/garbage", trusted, BadFile},
		{"/nobody", trusted, BadFile}, {"/ours", trusted, BadFile}, {"/runs", trusted, BadFile}, {"/no-ca", trusted, BadFile},
	} {
		i := &inquiry{Source: Source{File: s.URL + tt.path, Now: time.Now}, roots: tt.roots}
		f, err := i.byFile(t.Context())
		t.Log(tt.path, err)
		checkKind(t, err, tt.kind)
		if tt.kind == "" && (f.Server != s.URL || !strings.Contains(string(f.Kubeconfig), token.String())) {
			t.Errorf("%s: found %s", tt.path, f.Server)
		}
	}
}

// A file's own credentials are taken along, whole; a token that was given takes their place.
func TestFileCredentials(t *testing.T) {
	t.Parallel()
	s, _ := fake(t, http.NotFound)
	dir := t.TempDir()
	pair, err := certs.Issue(certs.Spec{CommonName: "joiner", Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, Algorithm: certs.ECDSAP256, Validity: time.Hour}, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	embedded := api.AuthInfo{ClientCertificateData: pair.CertPEM(), ClientKeyData: keyPEM(t, pair)}
	write("joiner.crt", pair.CertPEM())
	write("joiner.key", keyPEM(t, pair))
	named := api.AuthInfo{ClientCertificate: "joiner.crt", ClientKey: "joiner.key"} // beside the file
	for _, tt := range []struct {
		name string
		user api.AuthInfo
		tls  bootstrap.Token
		want api.AuthInfo
	}{
		{"embedded", embedded, bootstrap.Token{}, embedded},
		{"named", named, bootstrap.Token{}, embedded},
		{"token in its place", embedded, token, api.AuthInfo{Token: token.String()}},
	} {
		file := write("discovery.conf", kubeconfigOf(t, s, caPEM(s), &tt.user))
		f, err := Discover(t.Context(), Source{File: file, TLSToken: tt.tls}, nil)
		if err != nil {
			t.Fatal(err)
		}
		config, err := clientcmd.Load(f.Kubeconfig)
		if err != nil {
			t.Fatal(err)
		}
		got := config.AuthInfos["bootstrap"]
		if got.Token != tt.want.Token || string(got.ClientCertificateData) != string(tt.want.ClientCertificateData) ||
			string(got.ClientKeyData) != string(tt.want.ClientKeyData) || got.ClientCertificate != "" {
			t.Errorf("%s: the credentials are others", tt.name)
		}
	}
}

// A cluster that has no cluster-info for everybody is given its time, then named as such.
func TestNoClusterInfo(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusForbidden, http.StatusUnauthorized, http.StatusNotFound, http.StatusOK} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			_, source := fake(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/readyz" {
					return // the apiserver is well
				}
				w.WriteHeader(status)
				_, _ = w.Write([]byte(`{"data": {}}`))
			})
			_, err := hasty(t, source)
			checkKind(t, err, Unsigned)
			hint := "tripod init phase bootstrap-token"
			if status == http.StatusUnauthorized {
				hint = "--discovery-file"
			}
			if !strings.Contains(err.Error(), "has no cluster-info for everybody to read") || !strings.Contains(err.Error(), hint) {
				t.Errorf("error %v", err)
			}
		})
	}
}
