package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// certainWithin is far longer than it takes to be certain that a join can not work, and to say why.
const certainWithin = 20 * time.Second

const (
	unknownToken = "abcdef.0123456789abcdef"
	expiredToken = "fedcba.0123456789abcdef"
)

// badJoin is a join that can not work until something is mended.
type badJoin struct {
	name string
	// spoil makes it so, in the command or in the world; mend takes it back. Either may be nil.
	spoil func(t *testing.T, j *join, master, worker *lab.Node)
	mend  func(t *testing.T, j *join, master, worker *lab.Node)
	clock string // what the worker's clock says; "" is the time
	code  int
	words []string
}

func badJoins() []badJoin {
	return []badJoin{
		{name: "wrong secret", code: 2, words: []string{"secret half of token"},
			spoil: func(_ *testing.T, j *join, _, _ *lab.Node) { j.token = j.token[:7] + "0000000000000000" }},
		{name: "unknown token", code: 2, words: []string{"token abcdef is not known to the cluster"},
			spoil: func(_ *testing.T, j *join, _, _ *lab.Node) { j.token = unknownToken },
			mend:  func(t *testing.T, j *join, master, _ *lab.Node) { createToken(t, master, j, unknownToken, "1h") }},
		{name: "expired token", code: 2, words: []string{"token fedcba", "has expired"},
			spoil: func(t *testing.T, j *join, master, _ *lab.Node) {
				createToken(t, master, j, expiredToken, "1s")
				time.Sleep(2 * time.Second)
			},
			mend: func(t *testing.T, j *join, master, _ *lab.Node) {
				_, _ = master.Run(t.Context(), "kubeadm", "token", "delete", expiredToken) // the controller-manager may have been faster
				createToken(t, master, j, expiredToken, "1h")
			}},
		{name: "wrong hash", code: 2, words: []string{"not pinned"},
			spoil: func(_ *testing.T, j *join, _, _ *lab.Node) { j.hash = "sha256:" + strings.Repeat("0", 64) }},
		{name: "unreachable", code: 1, words: []string{"10.88.0.2:6443", "no route to host"}, spoil: cutOff,
			mend: func(t *testing.T, _ *join, _, worker *lab.Node) {
				must(t)(worker.Run(t.Context(), "ip", "route", "del", "unreachable", "10.88.0.2"))
			}},
		{name: "clock", code: 3, words: []string{"clock"}, clock: "2016-01-01T00:00:00Z"},
		{name: "unsigned", code: 1, words: []string{"controller-manager"}, spoil: unsign,
			mend: func(t *testing.T, j *join, master, _ *lab.Node) {
				move(t, master, "/etc/kubernetes/kcm.yaml", controllerManager)
				wantSigned(t, master, j.token)
			}},
	}
}

// A join that can not work says why, soon, writes nothing, and works once the cause is gone.
func TestJoinCauses(t *testing.T) {
	t.Parallel()
	network := newNetwork(t)
	master := newMaster(t, network, "tripod")
	good := newJoin(t, master)
	for i, bad := range badJoins() {
		t.Run(bad.name, func(t *testing.T) {
			worker := newWorker(t, network, fmt.Sprintf("worker-%d", i), byte(10+i))
			bad.check(t, good, master, worker)
		})
	}
}

func (bad badJoin) check(t *testing.T, good join, master, worker *lab.Node) {
	t.Helper()
	command := good
	if bad.spoil != nil {
		bad.spoil(t, &command, master, worker)
	}
	before := snapshot(t, worker)
	began := time.Now()
	cmd := worker.Command(t.Context(), "tripod-killpoint", command.args()...)
	cmd.Env = append(cmd.Env, "TRIPOD_CLOCK="+bad.clock)
	out, err := cmd.CombinedOutput()
	t.Logf("%s\n%s", time.Since(began), out)
	if code := exitCode(err); code != bad.code {
		t.Errorf("exit code %d, want %d", code, bad.code)
	}
	if took := time.Since(began); took > certainWithin {
		t.Errorf("it took %s", took)
	}
	wantCause(t, string(out), bad.words...)
	wantSame(t, before, snapshot(t, worker))
	if bad.mend == nil {
		command = good
	} else {
		bad.mend(t, &command, master, worker)
	}
	must(t)(worker.Run(t.Context(), "tripod", command.args()...))
	wantJoined(t, master, worker)
}

// createToken makes a token, and lets the cluster have signed with it.
func createToken(t *testing.T, master *lab.Node, j *join, token, ttl string) {
	t.Helper()
	j.token = token
	must(t)(master.Run(t.Context(), "kubeadm", "token", "create", token, "--ttl="+ttl))
}

// cutOff leaves the worker no way to the master, and the command few seconds to find one.
func cutOff(t *testing.T, j *join, _, worker *lab.Node) {
	t.Helper()
	must(t)(worker.Run(t.Context(), "ip", "route", "add", "unreachable", "10.88.0.2"))
	j.config = "/var/join.yaml"
	document := fmt.Sprintf(`apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery: {bootstrapToken: {apiServerEndpoint: %q, token: %q, caCertHashes: [%q]}}
timeouts: {discovery: 3s}
`, j.endpoint, j.token, j.hash)
	if err := os.WriteFile(worker.Path(j.config), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
}

const controllerManager = "/etc/kubernetes/manifests/kube-controller-manager.yaml"

// unsign takes the signatures off cluster-info, and away who would put them back.
func unsign(t *testing.T, j *join, master, _ *lab.Node) {
	t.Helper()
	move(t, master, controllerManager, "/etc/kubernetes/kcm.yaml")
	wantEnded(t, master, "kube-controller-manager")
	id, _, _ := strings.Cut(j.token, ".")
	must(t)(master.Kubectl(t.Context(), "--namespace=kube-public", "patch", "configmap", "cluster-info", "--type=json",
		`--patch=[{"op": "remove", "path": "/data/jws-kubeconfig-`+id+`"}]`))
}

// wantEnded waits until nothing runs of a component whose manifest was taken away.
func wantEnded(t *testing.T, n *lab.Node, component string) {
	t.Helper()
	until(t, component+" ends", func(ctx context.Context) error {
		if _, err := pidOnNode(ctx, n, component); err == nil {
			return errors.New("it still runs")
		}
		return nil
	})
}

func move(t *testing.T, n *lab.Node, from, to string) {
	t.Helper()
	must(t)(n.Run(t.Context(), "mv", from, to))
}

// wantSigned waits until the controller-manager has signed cluster-info with a token.
func wantSigned(t *testing.T, master *lab.Node, token string) {
	t.Helper()
	id, _, _ := strings.Cut(token, ".")
	until(t, "a signature", func(ctx context.Context) error {
		out, err := master.Kubectl(ctx, "--namespace=kube-public", "get", "configmap", "cluster-info", "--output=jsonpath={.data.jws-kubeconfig-"+id+"}")
		if err == nil && out == "" {
			err = errors.New("there is none")
		}
		return err
	})
}
