package phases

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/sync/errgroup"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// Leaving are the facts that only a machine that is reset has.
type Leaving struct {
	// Record is what an earlier reset, that was killed, has found here; zero if there was none.
	Record Record
	// Here is this machine's etcd member as its manifest has it.
	Here EtcdHere
	// Stored are etcd's members by the data of the member here. They can be read only while it does not run.
	Stored []etcd.Peer
	// Unstored is why they can not be read: etcd.ErrRunning, or fs.ErrNotExist where it never ran.
	Unstored error
	// KubeletRuns says that a kubelet runs, KubeletKept that its service is at work, be it in vain.
	KubeletRuns, KubeletKept bool
	// Sandboxes are the pods that a kubelet has made here.
	Sandboxes []host.Sandbox
	// Mounts lie below the kubelet's directory.
	Mounts []string
	// Staged are files that killed runs have left beside the kubeconfigs.
	Staged []string
	// Node says that the cluster has the object of this node.
	Node bool

	// masters are client URLs of etcd members, as the masters' pods have them.
	masters []string
}

// GatherReset reads the facts of a machine that is reset. The Master has the Config that the machine completes: where
// etcd's data and the certificates lie, and what the node is called. kubeconfig says how to ask the cluster; nil: the
// administrators' on this machine, or the kubelet's. tell gets the reasons why etcd is still waited for.
func GatherReset(ctx context.Context, s Site, c config.Config, kubeconfig []byte, tell func(string)) (Master, error) {
	m := Master{Config: c, Facts: Facts{Now: host.Now(), Leaving: &Leaving{}}}
	err := m.readHere(s.Host)
	if errors.Is(err, fs.ErrPermission) {
		return m, fmt.Errorf("%w\nhint: run it as root", err)
	}
	if err != nil {
		return m, err
	}
	var all errgroup.Group
	all.Go(func() error { return m.look(ctx, s) })
	all.Go(func() error { m.askCluster(ctx, kubeconfig); return nil })
	if err := all.Wait(); err != nil {
		return m, err
	}
	return m, m.askEtcd(ctx, s, tell)
}

// readHere reads the files, and what follows from them of the configuration.
func (m *Master) readHere(h *host.Host) error {
	entries, err := h.ReadJournal(journalPath(m.Config))
	if err != nil {
		return err
	}
	m.entries = len(entries)
	if m.Membership, err = readMembership(h, m.Config); err != nil {
		return err
	}
	if m.Leaving.Record, err = readRecord(h, m.Config); err != nil {
		return err
	}
	if err := m.read(h, m.Config); err != nil {
		return err
	}
	m.complete()
	return m.read(h, m.Config) // the certificates may lie elsewhere
}

// complete finds out where things lie and what the node is called: what lies there says so, or what an earlier reset
// has found there.
func (m *Master) complete() {
	record, here := m.Leaving.Record, etcdHere(m.Manifests["etcd.yaml"])
	m.Leaving.Here = here
	m.Paths.EtcdData = cmp.Or(here.DataDir, record.EtcdData, m.Paths.EtcdData)
	if m.Reset.CertificatesDir == "" {
		m.Paths.PKI = cmp.Or(manifests.HostPath(m.Manifests["kube-apiserver.yaml"], "k8s-certs"), record.PKI, m.Paths.PKI)
	}
	m.Node.Registration.Name = cmp.Or(m.kubeletsName(), here.Name, record.Node, m.Node.Registration.Name)
	m.Loopback = loopback(netip.IPv4Unspecified())
	m.advertise(here.PeerURL)
}

// advertise takes the address of a peer URL for this master's: a lock in etcd that a killed join has left is known by it.
func (m *Master) advertise(peerURL string) {
	if u, err := url.Parse(peerURL); err == nil {
		addr, _ := netip.ParseAddr(u.Hostname())
		m.Advertise = netip.AddrPortFrom(addr, 0)
	}
}

// kubeletsName is the node's name by the kubelet's certificate.
func (m *Master) kubeletsName() string {
	client, err := certs.ParseFile(m.Files[kubeletClientPath(m.Config)].Data)
	if k, bad := readKubeconfig(m.Files[kubeletConfPath(m.Config)].Data); bad == nil && k.client.Cert != nil {
		client, err = k.client, nil
	}
	if err != nil {
		return ""
	}
	name, _ := strings.CutPrefix(client.Cert.Subject.CommonName, "system:node:")
	return name
}

// look looks at what runs here.
func (m *Master) look(ctx context.Context, s Site) (err error) {
	l := m.Leaving
	m.Survey, err = s.Host.Survey(ctx, host.Ask{Dirs: append(ownDirs(m.Config), podsDir(m.Config), tmpDir(m.Config)), CRISocket: m.Node.Registration.CRISocket})
	if err != nil {
		return err
	}
	l.KubeletRuns, l.KubeletKept = s.Host.KubeletRuns(ctx)
	if m.Survey.Runtime.Err == nil {
		if l.Sandboxes, err = s.Kubelet.Sandboxes(ctx); err != nil {
			return err
		}
	}
	if l.Mounts, err = s.Host.MountsBelow(m.Paths.Kubelet); err != nil {
		return err
	}
	l.Staged, err = s.Host.Staged(m.Paths.Kubernetes)
	return err
}
