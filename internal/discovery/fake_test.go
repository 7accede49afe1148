package discovery

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/internal/bootstrap"
)

var token = bootstrap.Token{ID: "abcdef", Secret: "0000000000000000"}

// fake is a cluster that behaves as no real one can be told to.
func fake(t *testing.T, handler http.HandlerFunc) (s *httptest.Server, source Source) {
	t.Helper()
	return fakeBehind(t, handler, func(l net.Listener) net.Listener { return l })
}

// fakeBehind is one that clients reach through another listener.
func fakeBehind(t *testing.T, handler http.HandlerFunc, front func(net.Listener) net.Listener) (s *httptest.Server, source Source) {
	t.Helper()
	s = unstarted(handler)
	s.Listener = front(s.Listener)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, Source{Endpoint: s.Listener.Addr().String(), Token: token, CAHashes: []string{bootstrap.CAHash(s.Certificate())}}
}

func unstarted(handler http.HandlerFunc) *httptest.Server {
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	return s
}

func caPEM(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// answer is a signed cluster-info of the server.
func answer(t *testing.T, s *httptest.Server, w http.ResponseWriter) { answerWith(t, s, caPEM(s), w) }

// answerWith is one that names these authorities.
func answerWith(t *testing.T, s *httptest.Server, ca []byte, w http.ResponseWriter) {
	info, err := bootstrap.ClusterInfo(s.URL, ca)
	if err != nil {
		t.Error(err)
	}
	jws, err := token.Sign(info)
	if err != nil {
		t.Error(err)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]string{"kubeconfig": info, "jws-kubeconfig-abcdef": jws}})
}

// hasty discovers with little patience, but the same for each kind. It fails after far too long a time.
func hasty(t *testing.T, s Source) (Found, error) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	return (&inquiry{Source: s, patience: patience{unsigned: time.Second, etcd: time.Second, rbac: time.Second}}).find(ctx)
}

func TestClock(t *testing.T) {
	t.Parallel()
	var s *httptest.Server
	s, source := fake(t, func(w http.ResponseWriter, _ *http.Request) { answer(t, s, w) })
	source.Now = func() time.Time { return s.Certificate().NotBefore.Add(-time.Hour) }
	_, err := Discover(t.Context(), source, nil)
	checkKind(t, err, BadClock)
	byFile := Source{File: filepath.Join(t.TempDir(), "f"), TLSToken: token, Now: source.Now}
	info, err := bootstrap.ClusterInfo(s.URL, caPEM(s))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(byFile.File, []byte(info), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Discover(t.Context(), byFile, nil)
	checkKind(t, err, BadClock)
}

// A certificate that has really expired is not the clock's fault.
func TestExpiredCertificate(t *testing.T) {
	t.Parallel()
	var s *httptest.Server
	var late time.Time
	s, source := fake(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", late.UTC().Format(http.TimeFormat))
		answer(t, s, w)
	})
	late = s.Certificate().NotAfter.Add(time.Hour)
	source.Now = func() time.Time { return late }
	_, err := Discover(t.Context(), source, nil)
	checkKind(t, err, BadCA)
}

// A cluster that starts is waited for; each reason is told once.
func TestStarting(t *testing.T) {
	t.Parallel()
	var s *httptest.Server
	var asked int
	s, source := fake(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked < 4 {
			w.WriteHeader([]int{503, 503, 403}[asked-1])
			return
		}
		answer(t, s, w)
	})
	var told []string
	f, err := Discover(t.Context(), source, func(reason string) { told = append(told, reason) })
	if err != nil || f.Server != s.URL || len(told) != 2 {
		t.Errorf("found %s, told %q, error %v", f.Server, told, err)
	}
}

// An apiserver without its etcd is started again and again by its kubelet. That it is away in between is no sign of a
// quorum, and that it then forbids everything none of a cluster-info that is missing.
func TestNoQuorum(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"old": http.StatusInternalServerError, "started again": http.StatusForbidden} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked int
			_, source := fake(t, func(w http.ResponseWriter, r *http.Request) {
				switch asked++; {
				case asked%4 == 0:
					panic(http.ErrAbortHandler)
				case r.URL.Path == "/readyz":
					w.WriteHeader(http.StatusInternalServerError)
					_, _ = io.WriteString(w, "[+]ping ok\n[-]etcd failed: reason withheld\n")
				default:
					w.WriteHeader(status)
				}
			})
			_, err := hasty(t, source)
			checkKind(t, err, NoEtcd)
		})
	}
}

// balancer has one backend of three that is up: two of three connections come to nothing.
type balancer struct {
	net.Listener
	turn int
}

func (b *balancer) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if b.turn++; err != nil || b.turn%3 == 1 {
			return c, err
		}
		_ = c.Close()
	}
}

// One master of three is enough.
func TestBehindBalancer(t *testing.T) {
	t.Parallel()
	var s *httptest.Server
	behind := func(l net.Listener) net.Listener { return &balancer{Listener: l, turn: 1} }
	s, source := fakeBehind(t, func(w http.ResponseWriter, _ *http.Request) { answer(t, s, w) }, behind)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	var told string
	if _, err := Discover(ctx, source, func(reason string) { told += reason }); err != nil || strings.Contains(told, "->") {
		t.Errorf("told %q, error %v", told, err) // our own port is news to nobody
	}
	s, unknown := fakeBehind(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		info, _ := bootstrap.ClusterInfo(s.URL, caPEM(s))
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]string{"kubeconfig": info}})
	}, behind)
	_, err := Discover(ctx, unknown, nil)
	checkKind(t, err, BadToken)
}

// Nobody is sent the token who has not shown that he is the cluster.
func TestTokenIsKept(t *testing.T) {
	t.Parallel()
	for _, unsafe := range []bool{true, false} {
		var s *httptest.Server
		s, source := fake(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				t.Error("the token was sent")
			}
			info, _ := bootstrap.ClusterInfo(s.URL, caPEM(s))
			_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]string{"kubeconfig": info}})
		})
		source.CAHashes, source.Unsafe = nil, unsafe
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		_, err := Discover(ctx, source, nil)
		stop()
		checkKind(t, err, map[bool]Kind{true: Unreachable, false: BadCA}[unsafe])
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	source := Source{Endpoint: freeAddress(t), Token: token, Unsafe: true}
	ctx, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer stop()
	var told []string
	_, err := Discover(ctx, source, func(reason string) { told = append(told, reason) })
	checkKind(t, err, Unreachable)
	if len(told) != 1 || !strings.Contains(err.Error(), "refused") {
		t.Errorf("told %q, error %v", told, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Discover(ctx, source, nil); err != context.Canceled {
		t.Errorf("error %v after cancel", err)
	}
}
