package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/e2e/lab"
)

// badInput and unfit are tripod's exit codes for what was given to it, and for the machine that it runs on.
const badInput, unfit = 2, 3

// badMaster is a join of a master that can not work until something is mended.
type badMaster struct {
	name string
	// spoil makes it so, in the world or in the command that it returns; mend takes it back. Either may be nil.
	spoil func(t *testing.T, m *masters, n *lab.Node) []string
	mend  func(t *testing.T, m *masters, n *lab.Node)
	ahead time.Duration // how far the machine's clock is ahead
	code  int
	words []string
}

func badMasters() []badMaster {
	return []badMaster{
		{name: "wrong certificate key", code: badInput, words: []string{"--certificate-key", "tripod token create --control-plane"},
			spoil: func(t *testing.T, m *masters, _ *lab.Node) []string {
				return replaced(m.command, m.flag(t, "--certificate-key"), strings.Repeat("0", 64))
			}},
		{name: "expired upload", code: badInput, words: []string{"kubeadm-certs", "two hours", "tripod token create --control-plane"},
			spoil: expireUpload, mend: uploadAgain},
		{name: "no certificate key", code: badInput, words: []string{"/etc/kubernetes/pki/ca.crt", "sa.key", "--certificate-key"},
			spoil: func(t *testing.T, m *masters, _ *lab.Node) []string { return m.byHand(t) }},
		{name: "clock ahead", code: unfit, ahead: 10 * time.Minute, words: []string{"ahead of the apiserver's", "ahead"}},
		{name: "clock behind", code: unfit, ahead: -10 * time.Minute, words: []string{"clock"}},
		{name: "version", code: unfit, words: []string{"kubernetesVersion", "v1.35.4", lab.Default}, spoil: claims("kubernetesVersion: v1.35.4")},
		{name: "services", code: unfit, words: []string{"serviceSubnet", "10.97.0.0/16", "10.96.0.0/12"}, spoil: claims("networking: {serviceSubnet: 10.97.0.0/16}")},
		{name: "domain", code: unfit, words: []string{"dnsDomain", "other.local", "cluster.local"}, spoil: claims("networking: {dnsDomain: other.local}")},
		{name: "authority of another cluster", code: unfit, words: []string{"/etc/kubernetes/pki/ca.crt", "another"},
			spoil: otherAuthority, mend: removePKI},
		{name: "etcd's authority of another cluster, by hand", code: unfit, words: []string{"/etc/kubernetes/pki/etcd/ca.crt"},
			spoil: otherEtcdAuthority, mend: removePKI},
	}
}

// A join of a master that can not work says why, changes nothing on the machine or in the cluster, and works once the
// cause is gone. Since nothing is changed, one machine is enough for all of them.
func TestJoinMasterRefused(t *testing.T) {
	t.Parallel()
	m := newMasters(t, "tripod")
	n := m.machine(t, 2)
	for _, bad := range badMasters() {
		t.Run(bad.name, func(t *testing.T) { bad.check(t, m, n) })
	}
	m.join(t, "tripod", n)
	m.wantMembers(t)
	m.wantNothingLost(t)
}

func (bad badMaster) check(t *testing.T, m *masters, n *lab.Node) {
	t.Helper()
	command := m.command
	if bad.spoil != nil {
		command = bad.spoil(t, m, n)
	}
	files, list := everything(t, n), memberList(t, m.nodes[0])
	cmd := n.Command(t.Context(), "tripod-killpoint", command...)
	if bad.ahead != 0 {
		cmd.Env = append(cmd.Env, "TRIPOD_CLOCK="+time.Now().Add(bad.ahead).Format(time.RFC3339))
	}
	began := time.Now()
	out, err := cmd.CombinedOutput()
	t.Logf("%s\n%s", time.Since(began).Round(time.Millisecond), out)
	if code := exitCode(err); code != bad.code {
		t.Errorf("exit code %d, want %d", code, bad.code)
	}
	if took := time.Since(began); took > certainWithin {
		t.Errorf("it took %s", took)
	}
	wantCause(t, string(out), bad.words...)
	wantSame(t, files, everything(t, n))
	if diff := cmp.Diff(list, memberList(t, m.nodes[0])); diff != "" {
		t.Errorf("members changed (-before +after):\n%s", diff)
	}
	if bad.mend != nil {
		bad.mend(t, m, n)
	}
}

// everything is what a refused join must leave alone: its files, and tripod's own.
func everything(t *testing.T, n *lab.Node) map[string]string {
	t.Helper()
	files := snapshot(t, n)
	files["state"] = must(t)(n.Run(t.Context(), "ls", "--all", "--recursive", "/var/lib/tripod"))
	return files
}

// replaced are words, one of them by another.
func replaced(words []string, old, by string) []string {
	all := slices.Clone(words)
	all[slices.Index(all, old)] = by
	return all
}

// claims are documents of a configuration file that take the cluster to be another than it is.
func claims(field string) func(t *testing.T, m *masters, n *lab.Node) []string {
	return func(t *testing.T, m *masters, n *lab.Node) []string {
		return m.configured(t, n, "---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"+field+"\n")
	}
}

func expireUpload(t *testing.T, m *masters, _ *lab.Node) []string {
	t.Helper()
	must(t)(m.nodes[0].Kubectl(t.Context(), "--namespace=kube-system", "delete", "secret", "kubeadm-certs"))
	return m.command
}

// uploadAgain does what the hint says, and goes on with the command that is printed.
func uploadAgain(t *testing.T, m *masters, _ *lab.Node) {
	t.Helper()
	out := must(t)(m.nodes[0].Run(t.Context(), "tripod", "token", "create", "--control-plane"))
	m.command = append(mastersJoin(t, "tripod", out), lab.Ignored)
	wantSigned(t, m.nodes[0], m.flag(t, "--token"))
}

// otherAuthority leaves the files of another cluster on the machine.
func otherAuthority(t *testing.T, m *masters, n *lab.Node) []string {
	t.Helper()
	must(t)(n.Run(t.Context(), "kubeadm", "init", "phase", "certs", "ca"))
	return m.command
}

// otherEtcdAuthority copies the shared files by hand, and gets one pair wrong.
func otherEtcdAuthority(t *testing.T, m *masters, n *lab.Node) []string {
	t.Helper()
	m.copyShared(t, n)
	must(t)(n.Run(t.Context(), "sh", "-c", "rm /etc/kubernetes/pki/etcd/ca.*"))
	must(t)(n.Run(t.Context(), "kubeadm", "init", "phase", "certs", "etcd-ca"))
	return m.byHand(t)
}

func removePKI(t *testing.T, _ *masters, n *lab.Node) {
	t.Helper()
	must(t)(n.Run(t.Context(), "sh", "-c", "rm -r /etc/kubernetes/*"))
}
