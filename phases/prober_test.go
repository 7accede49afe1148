package phases

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/internal/config"
)

// A component is asked at the port of a test server, which has the certificate of that component.
func TestProofOverTLS(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		serve   http.HandlerFunc
		change  func(*Master, *config.Config)
		pair    string // which certificate the server has
		problem string // "" if the proof holds
	}{
		"healthy": {pair: "kube-scheduler", serve: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/readyz" {
				http.Error(w, "wrong path", http.StatusNotFound)
			}
		}},
		"failed checks are told": {pair: "kube-scheduler", problem: "answers 500 Internal Server Error: not yet informer-sync, leader failed: lost",
			serve: func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "[+]ping ok\n[-]informer-sync failed: reason withheld\n[-]leader failed: lost\nreadyz check failed", http.StatusInternalServerError)
			}},
		"no redirect is followed": {pair: "kube-scheduler", problem: "answers 302 Found",
			serve: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }},
		"a certificate of another authority": {pair: "etcd/server", problem: "x509: certificate signed by unknown authority"},
		"another component":                  {pair: "front-proxy-client", problem: "x509: "},
		"the user's own certificate":         {pair: "etcd/server", change: theirs("etcd/server")},
		"not the user's own certificate":     {pair: "kube-scheduler", change: theirs("etcd/server"), problem: "it serves another certificate than that in /srv/tls.crt"},
		"the user's own is not there": {pair: "kube-scheduler", problem: "/srv/tls.crt, the component's certificate: ",
			change: func(m *Master, c *config.Config) { theirs("etcd/server")(m, c); m.Inputs = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := provable(t)
			if test.serve == nil {
				test.serve = func(http.ResponseWriter, *http.Request) {}
			}
			if test.change != nil {
				test.change(&m, &m.Config)
			}
			at := serve(t, m, test.pair, test.serve)
			m.Cluster.Scheduler.ExtraArgs = append(m.Cluster.Scheduler.ExtraArgs, config.Arg{Name: "secure-port", Value: strconv.Itoa(int(at.Port()))})
			p := NewProber(m)
			defer p.Close()
			mentions(t, proveScheduler(t.Context(), p), test.problem)
		})
	}
}

// provable is a master with real certificates.
func provable(t *testing.T) Master {
	t.Helper()
	c := pkiConfig()
	pki, err := fillPKI(c, DiskPKI{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return Master{Config: c, Facts: Facts{PKI: pki}}
}

func theirs(pair string) func(*Master, *config.Config) {
	return func(m *Master, c *config.Config) {
		c.Cluster.Scheduler.ExtraArgs = []config.Arg{{Name: "tls-cert-file", Value: "/srv/tls.crt"}}
		m.Inputs = map[string][]byte{"/srv/tls.crt": m.PKI.Pairs[pair].CertPEM()}
	}
}

// serve answers over TLS with the pair of that name.
func serve(t *testing.T, m Master, pair string, handler http.HandlerFunc) netip.AddrPort {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.TLS = &tls.Config{Certificates: identity(m.PKI.Pairs[pair]), ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return netip.MustParseAddrPort(u.Host)
}

func mentions(t *testing.T, err error, problem string) {
	t.Helper()
	switch {
	case problem == "" && err != nil:
		t.Errorf("got %v", err)
	case problem != "" && (err == nil || !strings.Contains(err.Error(), problem)):
		t.Errorf("got %v, want %q", err, problem)
	}
}

// The apiserver sees who asks: the administrator whom RBAC can not lock out, or else the other.
func TestAdministrator(t *testing.T) {
	t.Parallel()
	m := provable(t)
	for _, want := range []string{"kubernetes-super-admin", "kubernetes-admin"} {
		if got := m.administrator()[0].Leaf.Subject.CommonName; got != want {
			t.Errorf("%s asks, not %s", got, want)
		}
		delete(m.PKI.Pairs, superAdminConf) // then it is the other
	}
}

// When the time of the whole wait is over in the middle of an attempt, the reason before is told.
func TestLastReasonIsKept(t *testing.T) {
	t.Parallel()
	p := NewProber(provable(t))
	reason := errors.New("connection refused")
	ctx, stop := context.WithCancel(t.Context())
	if err := p.attempt(ctx, "etcd", func() error { return reason }); !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
	stop()
	if err := p.attempt(ctx, "etcd", func() error { return ctx.Err() }); !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
	if err := p.attempt(ctx, "kube-scheduler", func() error { return ctx.Err() }); !errors.Is(err, context.Canceled) {
		t.Errorf("another component's reason was taken: %v", err)
	}
}

// A certificate that has expired is not waited for; one that is not valid yet, and whatever else is wrong, is.
func TestExpiredIsFinal(t *testing.T) {
	t.Parallel()
	m := provable(t)
	p := NewProber(m)
	onDisk := m.PKI.Pairs["etcd/server"].Cert
	verify := func(reason x509.InvalidReason, notAfter time.Duration) error {
		cert := *onDisk
		cert.NotAfter = time.Now().Add(notAfter)
		return x509.CertificateInvalidError{Cert: &cert, Reason: reason}
	}
	replaced := x509.CertificateInvalidError{Cert: &x509.Certificate{Raw: []byte("the one before"), NotAfter: time.Now().Add(-time.Second)}, Reason: x509.Expired}
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"expired":            {verify(x509.Expired, -time.Second), true},
		"renewed on disk":    {replaced, false},
		"not valid yet":      {verify(x509.Expired, time.Hour), false},
		"of another purpose": {verify(x509.IncompatibleUsage, -time.Second), false},
		"no answer":          {errors.New("connection refused"), false},
	} {
		err := p.attempt(t.Context(), "etcd", func() error { return fmt.Errorf("asking: %w", tt.err) })
		var certain final
		if errors.As(err, &certain) != tt.want {
			t.Errorf("%s: final is %v, want %v", name, !tt.want, tt.want)
		}
	}
}

func TestEtcdAddresses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args            []config.Arg
		probe, endpoint string
	}{
		"default": {nil, "http://127.0.0.1:2381/readyz", "https://127.0.0.1:2379"},
		"elsewhere": {[]config.Arg{{Name: "listen-metrics-urls", Value: "https://10.0.0.1:4001"}, {Name: "listen-client-urls", Value: "https://10.0.0.1:12379,https://[::1]:2379"}},
			"https://10.0.0.1:4001/readyz", "https://10.0.0.1:12379"},
		"everywhere": {[]config.Arg{{Name: "listen-metrics-urls", Value: "http://0.0.0.0:2381"}, {Name: "listen-client-urls", Value: "https://[::]:2379"}},
			"http://127.0.0.1:2381/readyz", "https://127.0.0.1:2379"},
		"without a port": {[]config.Arg{{Name: "listen-metrics-urls", Value: "http://10.0.0.1"}}, "http://10.0.0.1:2381/readyz", "https://127.0.0.1:2379"},
		"nonsense":       {[]config.Arg{{Name: "listen-metrics-urls", Value: "::"}}, "http://127.0.0.1:2381/readyz", "https://127.0.0.1:2379"},
	} {
		m := Master{Config: pkiConfig(func(c *config.Config) { c.Cluster.Etcd.Local.ExtraArgs = test.args })}
		if got := m.etcdProbe().url(m.Loopback, "/readyz"); got != test.probe {
			t.Errorf("%s: probe %s, want %s", name, got, test.probe)
		}
		if got := m.etcdEndpoint(); got != test.endpoint {
			t.Errorf("%s: endpoint %s, want %s", name, got, test.endpoint)
		}
	}
}
