package etcd

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tripod.dev/tripod/certs"
)

// A server is a real etcd process with TLS, its files and its URLs.
type server struct {
	dir, client, peer string
	data              string // its data directory
	pki               map[string]certs.Pair
	process           *os.Process
	args              []string // those that are its own
}

// start runs etcd, with further members in its initial cluster that do not exist.
func start(t *testing.T, absent ...string) *server {
	t.Helper()
	s := &server{dir: t.TempDir(), client: freeURL(t), peer: freeURL(t), pki: issue(t)}
	for name, data := range map[string][]byte{"ca.crt": s.pki["ca"].CertPEM(), "server.crt": s.pki["server"].CertPEM(), "server.key": key(t, s.pki["server"])} {
		if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.launch(t, "--name=a", "--initial-cluster="+strings.Join(append(absent, "a="+s.peer), ","))
	return s
}

// learner runs a member that the server's cluster has been told of, by the peer URL that it is started with.
func (s *server) learner(t *testing.T, peer string) *server {
	t.Helper()
	other := &server{dir: s.dir, client: freeURL(t), peer: peer, pki: s.pki}
	other.launch(t, "--name=b", "--initial-cluster=a="+s.peer+",b="+peer, "--initial-cluster-state=existing")
	return other
}

// trio runs a cluster of three voters: a, b and c.
func trio(t *testing.T) []*server {
	t.Helper()
	b, c := freeURL(t), freeURL(t)
	all := []*server{start(t, "b="+b, "c="+c)}
	for name, peer := range map[string]string{"b": b, "c": c} {
		s := &server{dir: all[0].dir, client: freeURL(t), peer: peer, pki: all[0].pki}
		s.launch(t, "--name="+name, "--initial-cluster=a="+all[0].peer+",b="+b+",c="+c)
		all = append(all, s)
	}
	for _, s := range all {
		_ = s.dialed(t)
	}
	return all
}

func (s *server) launch(t *testing.T, args ...string) {
	t.Helper()
	s.args, s.data = args, t.TempDir()
	s.run(t)
}

// run starts the process, on the data that there are.
func (s *server) run(t *testing.T) {
	t.Helper()
	cmd := exec.Command(component(t, "etcd"), append(slices.Clone(s.args), "--data-dir="+s.data, "--unsafe-no-fsync",
		"--listen-client-urls="+s.client, "--advertise-client-urls="+s.client, "--listen-peer-urls="+s.peer, "--initial-advertise-peer-urls="+s.peer,
		"--cert-file=server.crt", "--key-file=server.key", "--trusted-ca-file=ca.crt", "--client-cert-auth=true",
		"--peer-cert-file=server.crt", "--peer-key-file=server.key", "--peer-trusted-ca-file=ca.crt", "--log-level=error")...)
	cmd.Dir, cmd.Stderr = s.dir, t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	s.process = cmd.Process
}

// component is a program of etcd's; the test is skipped where it is not built.
func component(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("../../bin/components/v1.36.3/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED: there is no %s (make components builds it)", path)
	}
	return path
}

// stop has the process do nothing any more, when it returns: the signal reaches one thread after the other.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if err := s.process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !s.stopped(t); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("etcd does not stop")
		}
	}
}

// end stops the process as a kubelet does, and waits until its data can be opened.
func (s *server) end(t *testing.T) {
	t.Helper()
	if err := s.process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_, err := Stored(s.data)
	for until := time.Now().Add(20 * time.Second); errors.Is(err, ErrRunning) && time.Now().Before(until); _, err = Stored(s.data) {
		time.Sleep(lookEvery)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s *server) stopped(t *testing.T) bool {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return !slices.ContainsFunc(threads, func(path string) bool {
		data, err := os.ReadFile(path)
		_, state, _ := strings.Cut(string(data), ") ")
		return err == nil && !strings.HasPrefix(state, "T")
	})
}

// freeURL is an address that nobody listens at just now.
func freeURL(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "https://" + l.Addr().String()
}

func issue(t *testing.T) map[string]certs.Pair {
	t.Helper()
	usages := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	leaf := certs.Spec{CommonName: "a", IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Usages: usages, Algorithm: certs.ECDSAP256, Validity: time.Hour}
	ca := certs.Spec{CommonName: "ca", CA: true, Algorithm: certs.ECDSAP256, Validity: time.Hour}
	pairs, err := certs.Fill([]certs.Request{{Name: "ca", Spec: ca}, {Name: "other", Spec: ca}, {Name: "server", Spec: leaf, Issuer: "ca"}}, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}

func key(t *testing.T, p certs.Pair) []byte {
	t.Helper()
	data, err := p.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// trust is a client of the server's that believes the authority of that name.
func (s *server) trust(authority string) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(s.pki[authority].Cert)
	p := s.pki["server"]
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{{Certificate: [][]byte{p.Cert.Raw}, PrivateKey: p.Key}}}
}

// dialed is a connection to the server, made as soon as it answers.
func (s *server) dialed(t *testing.T) *Member {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		m, err := Dial(t.Context(), s.client, s.trust("ca"))
		if err == nil {
			t.Cleanup(func() { _ = m.Close() })
			return m
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
