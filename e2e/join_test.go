package e2e

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// Workers join masters, whichever of the two programs brought either up.
func TestJoin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ master, worker string }{{"tripod", "tripod"}, {"tripod", "kubeadm"}, {"kubeadm", "tripod"}} {
		t.Run(tt.worker+" joins "+tt.master, func(t *testing.T) {
			network := newNetwork(t)
			master := newMaster(t, network, tt.master)
			worker := newWorker(t, network, "worker", 3)
			command := newJoin(t, master)
			began := time.Now()
			t.Log(must(t)(worker.Run(t.Context(), tt.worker, command.args()...)))
			t.Logf("%s join took %s", tt.worker, time.Since(began))
			wantJoined(t, master, worker)
			if tt.worker == "tripod" {
				wantJoinAgain(t, worker, command)
			}
		})
	}
}

func newNetwork(t *testing.T) *lab.Network {
	t.Helper()
	l := newLab(t)
	if why := lab.NoNodes(); why != "" {
		t.Skip("no machine with a kubelet can be made here: " + why)
	}
	network, err := l.NewNetwork(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := network.Close(); err != nil {
			t.Error(err)
		}
	})
	return network
}

// newMaster is a first master, by tripod or kubeadm.
func newMaster(t *testing.T, network *lab.Network, program string) *lab.Node {
	t.Helper()
	n := newNode(t, lab.Machine{Network: network})
	args := lab.TripodInit(n.Version)
	if program == "kubeadm" {
		args = lab.KubeadmInit(n.Version)
	}
	must(t)(n.Run(t.Context(), program, args...))
	return n
}

// newWorker is a machine at 10.88.0.host that nothing was done to. What would run on it is not looked at, so it has no images.
func newWorker(t *testing.T, network *lab.Network, name string, host byte) *lab.Node {
	t.Helper()
	return newNode(t, lab.Machine{Name: name, Addr: netip.AddrFrom4([4]byte{10, 88, 0, host}), Network: network, NoImages: true})
}

// join is a join's command line.
type join struct{ endpoint, token, hash, config string }

// newJoin is how a node joins the master's cluster, as kubeadm says it, with a token that cluster-info is signed with.
func newJoin(t *testing.T, master *lab.Node) join {
	t.Helper()
	line := must(t)(master.Run(t.Context(), "kubeadm", "token", "create", "--print-join-command"))
	words := strings.Fields(line[strings.Index(line, "kubeadm join"):])
	if len(words) != 7 {
		t.Fatalf("not a join command: %s", line)
	}
	wantSigned(t, master, words[4])
	return join{endpoint: words[2], token: words[4], hash: words[6]}
}

func (j join) args() []string {
	if j.config != "" {
		return []string{"join", "--config=" + j.config, lab.Ignored}
	}
	return []string{"join", j.endpoint, "--token", j.token, "--discovery-token-ca-cert-hash", j.hash, lab.Ignored}
}

// wantJoined wants the worker's Node, and a client certificate for its kubelet that the cluster has signed.
func wantJoined(t *testing.T, master, worker *lab.Node) {
	t.Helper()
	until(t, "the node", func(ctx context.Context) error {
		out, err := master.Kubectl(ctx, "get", "node", worker.Name, "--output=jsonpath={.status.nodeInfo.kubeletVersion}")
		if err == nil && out != worker.Version {
			err = fmt.Errorf("its kubelet is %q", out)
		}
		return err
	})
	client := must(t)(worker.Run(t.Context(), "cat", "/var/lib/kubelet/pki/kubelet-client-current.pem"))
	ca, err := os.ReadFile(master.Path("/etc/kubernetes/pki/ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := signedFor(worker.Name, []byte(client), ca); err != nil {
		t.Error(err)
	}
}

// signedFor says why the certificate is not that of a node's kubelet.
func signedFor(node string, client, ca []byte) error {
	block, _ := pem.Decode(client)
	if block == nil {
		return errors.New("the kubelet has no client certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return err
	}
	if cert.Subject.CommonName != "system:node:"+node || !slices.Equal(cert.Subject.Organization, []string{"system:nodes"}) {
		return fmt.Errorf("the kubelet is %s", cert.Subject)
	}
	return nil
}

// wantJoinAgain wants a second join to find everything done: no file and no process is another.
func wantJoinAgain(t *testing.T, worker *lab.Node, command join) {
	t.Helper()
	kubelet := func() string { return must(t)(worker.Run(t.Context(), "pidof", "kubelet")) }
	files, pid := snapshot(t, worker), kubelet()
	must(t)(worker.Run(t.Context(), "tripod", command.args()...))
	wantSame(t, files, snapshot(t, worker))
	if now := kubelet(); now != pid {
		t.Errorf("the kubelet was %s, now %s", pid, now)
	}
}
