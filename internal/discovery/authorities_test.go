package discovery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/bootstrap"
)

// issue makes an authority, or the certificate of a server on loopback.
func issue(t *testing.T, name string, ca bool, issuer *certs.Pair) certs.Pair {
	t.Helper()
	spec := certs.Spec{CommonName: name, CA: ca, Algorithm: certs.ECDSAP256, Validity: time.Hour}
	if !ca {
		spec.IPs, spec.Usages = []netip.Addr{netip.MustParseAddr("127.0.0.1")}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	pair, err := certs.Issue(spec, issuer, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// shown is a cluster whose apiserver shows one certificate, and whose cluster-info names the authorities of bundle; it is signed
// if the cluster knows the token, or has been sent it.
type shown struct {
	server certs.Pair
	bundle []byte
	knows  bool
	stolen bool
}

func (c *shown) start(t *testing.T, pins ...string) Source {
	t.Helper()
	var s *httptest.Server
	s = unstarted(func(w http.ResponseWriter, r *http.Request) {
		c.stolen = c.stolen || r.Header.Get("Authorization") != ""
		info, _ := bootstrap.ClusterInfo(s.URL, c.bundle)
		data := map[string]string{bootstrap.InfoKey: info}
		if c.knows || c.stolen {
			data[bootstrap.SignaturePrefix+token.ID], _ = token.Sign(info)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
	})
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{c.server.Cert.Raw}, PrivateKey: c.server.Key}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return Source{Endpoint: s.Listener.Addr().String(), Token: token, CAHashes: pins}
}

// Who knows of a cluster no more than its CA, which is no secret, and shows it beside one of his own, is not the cluster: he is
// not sent the token, and with a token that was stolen otherwise he is not trusted either.
func TestStranger(t *testing.T) {
	t.Parallel()
	known := issue(t, "kubernetes", true, nil)
	his := issue(t, "kubernetes", true, nil)
	hidden := pem.EncodeToMemory(&pem.Block{Type: "X CERTIFICATE", Bytes: known.Cert.Raw})
	for name, c := range map[string]*shown{
		"knows no token":     {bundle: slices.Concat(his.ChainPEM(), known.ChainPEM())},
		"knows the token":    {bundle: slices.Concat(his.ChainPEM(), known.ChainPEM()), knows: true},
		"no certificate":     {bundle: slices.Concat(his.ChainPEM(), hidden), knows: true},
		"the cluster's only": {bundle: known.ChainPEM(), knows: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.server = issue(t, "apiserver", false, &his)
			ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
			defer stop()
			_, err := Discover(ctx, c.start(t, bootstrap.CAHash(known.Cert)), nil)
			checkKind(t, err, BadCA)
			if c.stolen {
				t.Error("the token was sent")
			}
		})
	}
}

// Of a bundle those that are pinned vouch for the server, which then vouches for all: while a CA is being replaced, and where
// others stand between it and the server.
func TestBundle(t *testing.T) {
	t.Parallel()
	before, after := issue(t, "old", true, nil), issue(t, "new", true, nil)
	between := issue(t, "between", true, &before)
	other := issue(t, "other", true, nil)
	of := func(pairs ...certs.Pair) (all []byte) {
		for _, p := range pairs {
			all = append(all, certs.Pair{Chain: p.Chain[:1]}.ChainPEM()...)
		}
		return all
	}
	hash := func(p certs.Pair) string { return bootstrap.CAHash(p.Cert) }
	for name, tt := range map[string]struct {
		issuer certs.Pair
		bundle []byte
		pins   []string
		kind   Kind
	}{
		"one":                      {before, of(before), []string{hash(before)}, ""},
		"not yet rotated":          {before, of(after, before), []string{hash(before)}, ""},
		"rotated, both are pinned": {after, of(before, after), []string{hash(before), hash(after)}, ""},
		"rotated, new pin":         {after, of(before, after), []string{hash(after)}, ""},
		"rotated, old pin":         {after, of(before, after), []string{hash(before)}, BadCA},
		"below the pinned":         {between, of(between, before), []string{hash(before)}, ""},
		"the lower is pinned":      {between, of(between, before), []string{hash(between)}, ""},
		"nothing between":          {between, of(before), []string{hash(before)}, BadCA},
		"another's":                {before, of(before), []string{hash(other)}, BadCA},
		"no bundle":                {before, nil, []string{hash(before)}, BadCA},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &shown{server: issue(t, "apiserver", false, &tt.issuer), bundle: tt.bundle, knows: true}
			f, err := Discover(t.Context(), c.start(t, tt.pins...), nil)
			checkKind(t, err, tt.kind)
			if tt.kind == "" && string(f.CA) != string(tt.bundle) {
				t.Errorf("found %s", f.CA)
			}
		})
	}
}

// What is not a certificate does not come along from a bundle.
func TestBundleIsCertificates(t *testing.T) {
	t.Parallel()
	ca := issue(t, "kubernetes", true, nil)
	junk := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("junk")})
	c := &shown{server: issue(t, "apiserver", false, &ca), bundle: slices.Concat([]byte("text\n"), ca.ChainPEM(), junk), knows: true}
	f, err := Discover(t.Context(), c.start(t, bootstrap.CAHash(ca.Cert)), nil)
	if err != nil || string(f.CA) != string(ca.ChainPEM()) {
		t.Errorf("found %s, error %v", f.CA, err)
	}
}

// An apiserver whose etcd is away when it starts can not read its rules, and forbids everything.
func TestForbidsEverything(t *testing.T) {
	t.Parallel()
	var s *httptest.Server
	s, source := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token.String() {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	for name, tt := range map[string]struct {
		source Source
		kind   Kind
	}{
		"by token":                      {source, Forbidding},
		"by file, nobody is answered":   {Source{File: "other.conf", TLSToken: bootstrap.Token{ID: "abcdef", Secret: "another"}}, Forbidding},
		"by file, its user is answered": {Source{File: "joiner.conf", TLSToken: token}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.source.File != "" {
				tt.source.File = filepath.Join(t.TempDir(), tt.source.File)
				info, err := bootstrap.ClusterInfo(s.URL, caPEM(s))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(tt.source.File, []byte(info), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := hasty(t, tt.source)
			checkKind(t, err, tt.kind)
		})
	}
}
