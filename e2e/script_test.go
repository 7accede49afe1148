package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"tripod.dev/tripod/e2e/lab"
)

// The scripts in testdata/script show the command line as a user meets it. Beside testscript's own commands they have:
//
//	ends CODE COMMAND...  run a command that ends with this exit code; on the node, if there is one
//	node                  from here on, commands of ends and on run on a machine of their own, as root
//	on COMMAND...         run a command on the node that must succeed
//	hold ADDRESS          somebody else's process on the node listens there until the script ends
//	untouched             nothing in the node's Kubernetes folders has changed since ends was last used
//	expired-ca DIR        write a CA into DIR that has expired
//
// and the condition [nodes]: such a machine can be made.
func TestScripts(t *testing.T) {
	l := newLab(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(l.Tripod())+":"+os.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("VERSION", lab.Default)
			env.Defer(func() { downAll(l, filepath.Join(env.WorkDir, ".local/state")) })
			env.Values[stageKey{}] = &stage{lab: l}
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "nodes" {
				return false, errors.New("there is no such condition")
			}
			return lab.NoNodes() == "", nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ends": ends, "node": node, "on": on, "hold": hold, "untouched": untouched, "expired-ca": expiredCA,
		},
	})
}

// stage is where the commands of one script run: on a node, once it has asked for one.
type stage struct {
	lab    lab.Lab
	node   *lab.Node
	before map[string]string
}

type stageKey struct{}

func stageOf(ts *testscript.TestScript) *stage { return ts.Value(stageKey{}).(*stage) }

func node(ts *testscript.TestScript, _ bool, _ []string) {
	s := stageOf(ts)
	n, err := s.lab.Start(context.Background(), lab.Machine{NoKubelet: true})
	ts.Check(err)
	ts.Defer(func() { ts.Check(n.Close()) })
	s.node = n
}

// command prepares a command in the script's folder, on its node if it has one.
func (s *stage) command(ts *testscript.TestScript, args []string) *exec.Cmd {
	var cmd *exec.Cmd
	if s.node != nil {
		script := `cd "$0" && exec "$@"`
		cmd = s.node.Command(context.Background(), "sh", append([]string{"-c", script, ts.MkAbs(".")}, args...)...)
	} else {
		cmd = exec.Command("env", append([]string{"PATH=" + ts.Getenv("PATH")}, args...)...)
		cmd.Dir = ts.MkAbs(".")
	}
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	return cmd
}

func ends(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	s := stageOf(ts)
	if s.node != nil {
		s.before, err = listing(s.node)
		ts.Check(err)
	}
	if code := exitCode(s.command(ts, args[1:]).Run()); code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

func on(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(stageOf(ts).command(ts, args).Run())
}

func hold(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(stageOf(ts).node.Hold(context.Background(), args[0]))
}

func untouched(ts *testscript.TestScript, _ bool, _ []string) {
	s := stageOf(ts)
	after, err := listing(s.node)
	ts.Check(err)
	if diff := cmp.Diff(s.before, after); diff != "" {
		ts.Fatalf("files changed (-before +after):\n%s", diff)
	}
}

func expiredCA(ts *testscript.TestScript, _ bool, args []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, DNSNames: []string{"kubernetes"},
		NotBefore: now.AddDate(-10, 0, 0), NotAfter: now.AddDate(0, 0, -1),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	ts.Check(err)
	private, err := x509.MarshalECPrivateKey(key)
	ts.Check(err)
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Check(os.WriteFile(filepath.Join(dir, "ca.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), 0o644))
	ts.Check(os.WriteFile(filepath.Join(dir, "ca.key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}), 0o600))
}
