package phases

import (
	"crypto/x509"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/discovery"
	"tripod.dev/tripod/internal/host"
)

const joinToken = "abcdef.0123456789abcdef"

// freshWorker is node-1 on a machine where nothing was ever done, with what it has found of the cluster that it joins.
func freshWorker(t *testing.T, change ...func(*Master)) Master {
	t.Helper()
	m := freshMaster()
	m.Join.CACertPath = filepath.Join(m.Paths.PKI, "ca.crt")
	m.Join.Discovery.TLSBootstrapToken = joinToken
	ca := issue(t, certs.Spec{CommonName: "kubernetes", CA: true, Algorithm: certs.ECDSAP256, Validity: 10 * 365 * 24 * time.Hour}, nil)
	m.Joining = &Joining{Found: discovery.Found{Server: "https://10.0.0.1:6443", CA: ca.CertPEM(), Kubeconfig: []byte("token: " + joinToken)}}
	m.PKI = PKI{Pairs: map[string]certs.Pair{clusterCA: ca}}
	for _, f := range change {
		f(&m)
	}
	if err := m.identify(); err != nil {
		t.Fatal(err)
	}
	return m
}

// clientOf has the kubelet hold a client certificate that the cluster's CA has signed, valid for so long.
func clientOf(t *testing.T, m *Master, name string, validity time.Duration) {
	t.Helper()
	ca := m.PKI.Pairs[clusterCA]
	pair := issue(t, certs.Spec{CommonName: "system:node:" + name, Organization: []string{"system:nodes"},
		Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, Algorithm: certs.ECDSAP256, Validity: validity}, &ca)
	key, err := pair.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range rotated(*m, slices.Concat(pair.CertPEM(), key)) {
		m.Files[f.Path] = f
	}
	current := kubeletClientPath(m.Config)
	link := m.Files[current]
	link.Data = m.Files[filepath.Join(filepath.Dir(current), link.Link)].Data
	m.Files[current] = link
}

// joined makes the machine what a join has made it.
func joined(t *testing.T, m *Master) {
	t.Helper()
	clientOf(t, m, "node-1", 365*24*time.Hour)
	done := freshWorker(t, func(other *Master) {
		*other = *m
		facts := *m.Joining
		other.Joining = &facts
	})
	steps, _, err := Plan(Join(), done)
	if err != nil {
		t.Fatal(err)
	}
	room := maps.Clone(m.Survey.Dirs)
	applied(*m, changesOf(steps))
	for dir, d := range room {
		d.Exists = true
		m.Survey.Dirs[dir] = d
	}
	m.Alive = true
}

func TestJoinPlan(t *testing.T) {
	t.Parallel()
	fresh := []string{
		"create /etc/kubernetes/pki/ca.crt (0644)", "request the client certificate of system:node:node-1",
		"create /etc/kubernetes/kubelet.conf (0600)", "create /var/lib/kubelet/pki/kubelet.key (0600) and kubelet.crt (0644)",
		"create /var/lib/kubelet/kubeadm-flags.env (0644)", "create /var/lib/kubelet/instance-config.yaml (0644)",
		"create /var/lib/kubelet/config.yaml (0644)", "start kubelet",
	}
	for name, tt := range map[string]struct {
		change func(*testing.T, *Master)
		want   []string
	}{
		"fresh":  {func(*testing.T, *Master) {}, fresh},
		"joined": {joined, nil},
		"joined, kubelet down": {func(t *testing.T, m *Master) {
			joined(t, m)
			m.Alive = false
		}, []string{"start kubelet"}},
		"certificate about to expire": {func(t *testing.T, m *Master) {
			joined(t, m)
			clientOf(t, m, "node-1", time.Minute) // the kubelet rotates it
		}, nil},
		"certificate expired": {func(t *testing.T, m *Master) {
			joined(t, m)
			clientOf(t, m, "node-1", time.Minute)
			m.Now = m.Now.Add(time.Hour)
		}, []string{fresh[1], "start kubelet"}},
		"half a serving pair": {func(t *testing.T, m *Master) {
			joined(t, m)
			delete(m.Files, "/var/lib/kubelet/pki/kubelet.crt")
		}, []string{"replace /var/lib/kubelet/pki/kubelet.key (0600) and kubelet.crt (0644)", "start kubelet"}},
		"serving certificate from the cluster": {func(_ *testing.T, m *Master) {
			m.Config.Kubelet = map[string]any{"serverTLSBootstrap": true}
		}, slices.Delete(slices.Clone(fresh), 3, 4)},
		"joined, changed since": {func(t *testing.T, m *Master) {
			joined(t, m)
			isNode(m)
			changeKubelet(m)
		}, nil},
		"joined, its flags gone": {func(t *testing.T, m *Master) {
			joined(t, m)
			isNode(m)
			changeKubelet(m)
			delete(m.Files, "/var/lib/kubelet/kubeadm-flags.env")
		}, []string{"create /var/lib/kubelet/kubeadm-flags.env (0644)", "start kubelet"}},
		"killed before it was a node": {func(t *testing.T, m *Master) {
			joined(t, m)
			changeKubelet(m)
		}, []string{"replace /var/lib/kubelet/kubeadm-flags.env (0644)", "replace /var/lib/kubelet/config.yaml (0644)", "start kubelet"}},
		"CA was renewed": {func(t *testing.T, m *Master) {
			joined(t, m)
			m.Joining.Found.CA = renewed(t, m.PKI.Pairs[clusterCA])
		}, []string{"replace /etc/kubernetes/pki/ca.crt (0644)", "replace /etc/kubernetes/kubelet.conf (0600)", "start kubelet"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := freshWorker(t, func(m *Master) { tt.change(t, m) })
			steps, _, err := Plan(Join(), m)
			got := slices.DeleteFunc(lines(t, changesOf(steps), err), func(line string) bool { return strings.HasSuffix(line, "/ (0700)") })
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// isNode has the cluster know the node.
func isNode(m *Master) { m.Joining.Node = cluster.Node("node-1") }

// changeKubelet is what an operator does to a kubelet.
func changeKubelet(m *Master) {
	for path, add := range map[string]string{"/var/lib/kubelet/config.yaml": "maxPods: 200\n", "/var/lib/kubelet/kubeadm-flags.env": "OTHER=1\n"} {
		f := m.Files[path]
		f.Data = slices.Concat(f.Data, []byte(add))
		m.Files[path] = f
	}
}

// A node that joins again is told what its kubelet has otherwise.
func TestJoinAgainTellsDifference(t *testing.T) {
	t.Parallel()
	m := freshWorker(t, func(m *Master) {
		joined(t, m)
		isNode(m)
	})
	if found := kubeletDiffers(m); found != nil {
		t.Errorf("of one that has not changed: %v", found)
	}
	changeKubelet(&m)
	warnings, _ := preflight(m)
	text := strings.Join(warnings, "\n")
	for _, want := range []string{"/var/lib/kubelet/config.yaml in maxPods", "/var/lib/kubelet/kubeadm-flags.env in its text", "tripod upgrade node"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not told: %s", want, text)
		}
	}
}

// renewed is another certificate of the CA's key.
func renewed(t *testing.T, ca certs.Pair) []byte {
	t.Helper()
	again := issue(t, certs.Spec{CommonName: "kubernetes", CA: true, Algorithm: certs.ECDSAP256, Validity: 365 * 24 * time.Hour}, &ca)
	return slices.Concat(ca.CertPEM(), again.CertPEM())
}

func TestJoinWithout(t *testing.T) {
	t.Parallel()
	list, unknown := Without(Join(), []string{"kubelet-start", "kubelet-wait-bootstrap", "no-such"})
	if names(list) != "preflight" || !slices.Equal(unknown, []string{"no-such"}) {
		t.Errorf("left are %s, unknown %s", names(list), unknown)
	}
	steps, _, err := Plan(list, freshWorker(t))
	if err != nil || len(changesOf(steps)) > 0 {
		t.Errorf("%v, %v", changesOf(steps), err)
	}
}

// A kubelet says its taints when it registers; labels come as the user's own flag.
func TestJoinKubeletArgs(t *testing.T) {
	t.Parallel()
	m := freshWorker(t)
	m.Node.Registration.Taints = []config.Taint{{Key: "gpu", Value: "yes", Effect: "NoSchedule"}, {Key: "slow", Effect: "NoExecute"}}
	m.Node.Registration.KubeletExtraArgs = []config.Arg{{Name: "node-labels", Value: "tier=back"}}
	m.Survey.Hostname = "other"
	want := []string{"--hostname-override=node-1", "--register-with-taints=gpu=yes:NoSchedule,slow:NoExecute", "--node-labels=tier=back"}
	if diff := cmp.Diff(want, kubeletArgs(m)); diff != "" {
		t.Error(diff)
	}
}

// Neither the token nor a key is in what is shown of a join, nor in what it replaces.
func TestNoSecretOfAJoinIsShown(t *testing.T) {
	t.Parallel()
	for _, m := range []Master{freshWorker(t), freshWorker(t, func(m *Master) {
		joined(t, m)
		delete(m.Files, "/var/lib/kubelet/pki/kubelet.crt")
		m.Files["/etc/kubernetes/kubelet.conf"] = host.File{Path: "/etc/kubernetes/kubelet.conf", Data: []byte(tokenKubeconfig)}
	})} {
		steps, _, err := Plan(Join(), m)
		if err != nil {
			t.Fatal(err)
		}
		secrets := joinSecrets(t, m, steps)
		hide(t, secrets, "plan", strings.Join(shownLines(steps), "\n"))
		hide(t, secrets, "plan as JSON", encode(t, steps))
	}
}

// joinSecrets are the token, and lines of every private key that is there or is written. Certificates are none.
func joinSecrets(t *testing.T, m Master, steps []Step) []string {
	t.Helper()
	secrets := []string{"0123456789abcdef", "PRIVATE KEY"}
	files := []host.File{{Path: "drawn.key", Data: m.Joining.Key.PrivatePEM()}}
	for _, f := range m.Files {
		files = append(files, f)
	}
	for _, c := range changesOf(steps) {
		files = append(files, c.Files...)
	}
	for _, f := range files {
		if filepath.Ext(f.Path) != ".key" && filepath.Ext(f.Path) != ".pem" {
			continue
		}
		for line := range strings.Lines(string(f.Data)) {
			if len(line) > 60 {
				secrets = append(secrets, line[:40])
			}
		}
	}
	if len(secrets) < 4 {
		t.Fatalf("only %d secrets", len(secrets))
	}
	return secrets
}

// What the apiserver answers about a request is a certificate, a reason to wait, or the end.
func TestJoinAnswer(t *testing.T) {
	t.Parallel()
	m := freshWorker(t)
	request, err := m.signingRequest()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ status, want string }{
		"new":      {`{}`, "waits for approval (kubectl certificate approve csr-1)"},
		"approved": {`{"conditions": [{"type": "Approved"}]}`, "waits to be signed"},
		"denied":   {`{"conditions": [{"type": "Denied", "reason": "R", "message": "M"}]}`, "Denied: M (R)"},
		"failed":   {`{"conditions": [{"type": "Approved"}, {"type": "Failed", "reason": "R", "message": "M"}]}`, "Failed: M (R)"},
		"garbage":  {`{"certificate": "%"}`, "illegal base64"},
		"no PEM":   {`{"certificate": "YQ=="}`, "parsing the certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := request.DeepCopy()
			answer.SetName("csr-1")
			var status map[string]any
			if err := json.Unmarshal([]byte(tt.status), &status); err != nil {
				t.Fatal(err)
			}
			answer.Object["status"] = status
			if _, err := m.answer(answer); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
