package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// writeEvery is how often a key is written while masters come and go.
const writeEvery = 100 * time.Millisecond

// masters are a cluster of masters behind one endpoint. It is written to, and its quorum is watched, all the time.
type masters struct {
	network *lab.Network
	version string      // of Kubernetes
	nodes   []*lab.Node // which have joined; the first one first
	command []string    // by which masters join, as init has printed it, without the program's name
	writer  *lab.Writer
	quorum  *lab.Quorum
}

// newMasters is a first master by tripod or kubeadm, with its certificates uploaded.
func newMasters(t *testing.T, program string) *masters {
	t.Helper()
	return newMastersOf(t, program, lab.Default)
}

// newMastersOf is newMasters of a version of Kubernetes.
func newMastersOf(t *testing.T, program, version string) *masters {
	t.Helper()
	m := &masters{network: newNetwork(t), version: version, quorum: lab.NewQuorum()}
	m.listen(t)
	first := m.machine(t, 1)
	out := must(t)(first.Run(t.Context(), program, mastersInit(program, first.Version)...))
	m.command = append(mastersJoin(t, program, out), lab.Ignored)
	t.Cleanup(m.quorum.Close)
	m.joined(t, first)
	m.write(t)
	return m
}

// mastersInit are the arguments of an init for more than one master.
func mastersInit(program, version string) []string {
	args := lab.TripodInit(version)
	if program == "kubeadm" {
		args = lab.KubeadmInit(version)
	}
	return append(args, "--control-plane-endpoint=10.88.0.1:6443", "--upload-certs")
}

// mastersJoin finds the command for masters among what was printed: that which a person would copy.
func mastersJoin(t *testing.T, program, out string) []string {
	t.Helper()
	for line := range strings.Lines(strings.ReplaceAll(out, "\\\n", " ")) {
		words := strings.Fields(line)
		if len(words) > 2 && words[0] == program && words[1] == "join" && slices.Contains(words, "--control-plane") {
			return words[1:]
		}
	}
	t.Fatalf("no command by which masters join in:\n%s", out)
	return nil
}

// listen has the endpoint answer for as many masters as a test may have.
func (m *masters) listen(t *testing.T) {
	t.Helper()
	const most = 9
	var addrs []netip.Addr
	for number := range byte(most) {
		addrs = append(addrs, masterAddr(1+number))
	}
	endpoint, err := m.network.NewEndpoint(addrs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := endpoint.Close(); err != nil {
			t.Error(err)
		}
	})
}

// machine is the machine of a master by its number from 1. Nothing was done to it.
func (m *masters) machine(t *testing.T, number byte) *lab.Node {
	t.Helper()
	return newNode(t, lab.Machine{Version: m.version, Name: fmt.Sprintf("master-%d", number), Addr: masterAddr(number), Network: m.network})
}

func masterAddr(number byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 88, 0, 1 + number}) }

// write begins to write keys through the endpoint.
func (m *masters) write(t *testing.T) {
	t.Helper()
	admin := must(t)(m.nodes[0].Kubectl(t.Context(), "config", "view", "--raw", "--output=json"))
	writer, err := m.network.StartWriter([]byte(admin), writeEvery)
	if err != nil {
		t.Fatal(err)
	}
	m.writer = writer
	t.Cleanup(func() { writer.Stop() })
}

// join has a machine join as a master, and returns what was printed.
func (m *masters) join(t *testing.T, program string, n *lab.Node, args ...string) string {
	t.Helper()
	began := time.Now()
	out := must(t)(n.Run(t.Context(), program, slices.Concat(m.command, args)...))
	took := time.Since(began)
	t.Logf("%s join of %s took %s", program, n.Name, took.Round(time.Millisecond))
	if took > time.Minute {
		t.Log(out)
	}
	m.joined(t, n)
	return out
}

// joined counts a node among the masters from now on.
func (m *masters) joined(t *testing.T, n *lab.Node) {
	t.Helper()
	m.nodes = append(m.nodes, n)
	if err := m.quorum.Watch(n); err != nil {
		t.Fatal(err)
	}
}

// left does not count it any more: it is about to be ended.
func (m *masters) left(n *lab.Node) {
	m.quorum.Leave(n)
	m.nodes = slices.DeleteFunc(m.nodes, func(other *lab.Node) bool { return other == n })
}

// killable is tripod join by the binary that can kill itself, and that takes its time from TRIPOD_CLOCK.
func (m *masters) killable(ctx context.Context, n *lab.Node, env ...string) *exec.Cmd {
	cmd := n.Command(ctx, "tripod-killpoint", m.command...)
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// flag is the value of a flag in the command by which masters join.
func (m *masters) flag(t *testing.T, name string) string {
	t.Helper()
	i := slices.Index(m.command, name)
	if i < 0 || i+1 == len(m.command) {
		t.Fatalf("no %s in %v", name, m.command)
	}
	return m.command[i+1]
}

// configured is the command by a configuration file with the same in it and more: fields of the JoinConfiguration, and
// further documents.
func (m *masters) configured(t *testing.T, n *lab.Node, more string) []string {
	t.Helper()
	const path = "/var/join.yaml"
	document := fmt.Sprintf(`apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery: {bootstrapToken: {apiServerEndpoint: %q, token: %q, caCertHashes: [%q]}}
controlPlane: {certificateKey: %q}
%s`, m.command[1], m.flag(t, "--token"), m.flag(t, "--discovery-token-ca-cert-hash"), m.flag(t, "--certificate-key"), more)
	if err := os.WriteFile(n.Path(path), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"join", "--config=" + path, lab.Ignored}
}

// sharedFiles are what a person copies by hand from one master to the next.
var sharedFiles = [...]string{
	"admin.conf", "pki/ca.crt", "pki/ca.key", "pki/front-proxy-ca.crt", "pki/front-proxy-ca.key",
	"pki/sa.pub", "pki/sa.key", "pki/etcd/ca.crt", "pki/etcd/ca.key",
}

// copyShared copies them, and takes the certificate key out of the command.
func (m *masters) copyShared(t *testing.T, to *lab.Node) {
	t.Helper()
	for _, name := range sharedFiles {
		path := filepath.Join("/etc/kubernetes", name)
		data, err := os.ReadFile(m.nodes[0].Path(path))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to.Path(path)), 0o700)
		}
		if err == nil {
			err = os.WriteFile(to.Path(path), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// byHand is the command of somebody who has copied them: it has no certificate key.
func (m *masters) byHand(t *testing.T) []string {
	t.Helper()
	m.flag(t, "--certificate-key")
	i := slices.Index(m.command, "--certificate-key")
	return slices.Delete(slices.Clone(m.command), i, i+2)
}
