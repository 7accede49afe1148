package phases

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sync/errgroup"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// A Wish is what is wanted of a living master.
type Wish struct {
	// Verb is what the user asked for, and for the history, what exactly.
	Verb string
	// Change makes the wanted configuration of the one that is; nil for none.
	Change func(config.Config) (config.Config, error)
	// Renew says whether the pair or kubeconfig of that name is to be drawn anew; nil for none.
	Renew func(name string) bool
	// RenewWithVersion renews all leafs where the version changes.
	RenewWithVersion bool
	// Kept leaves the manifests what they are, but for their revisions.
	Kept bool
	// Leads stores the configuration in the cluster.
	Leads bool
	// Back is the number of the generation to go back to, -1 for the last healthy one; 0 does not go back.
	Back int
}

// GatherLiving reads the facts of a master that lives, or of a worker: what runs here, what the cluster says, and how etcd's
// members are. The Config of the Master that comes back is the wanted one. Nothing is written. tell gets the reasons why the
// cluster is still waited for.
func GatherLiving(ctx context.Context, s Site, c config.Config, w Wish, tell func(string)) (Master, error) {
	m := Master{Config: c, Facts: Facts{Now: host.Now(), Rootless: s.Kubelet == nil, ProxyEnv: proxyEnv(os.Environ())}}
	m.Living = &Living{Verb: w.Verb, Kept: w.Kept, Leads: w.Leads, Unwell: map[string]error{}}
	if err := m.readHistory(s.Host); err != nil {
		return m, err
	}
	if path := c.Upgrade.Kubeconfig; path != "" {
		f, exists, err := s.Host.Read(path)
		if err != nil || !exists {
			return m, &InputError{cmp.Or(err, fmt.Errorf("--kubeconfig %s is not there", path))}
		}
		m.Living.Kubeconfig = f.Data
	}
	if err := m.read(s.Host, m.Config); err != nil {
		return m, err
	}
	if err := fitAlone(m, filesAlone()...); err != nil {
		return m, err
	}
	here, err := m.here()
	if err != nil {
		return m, err
	}
	if err := BesideEtcd(ctx, s.Host, m.Config, func(ctx context.Context) (err error) {
		m.Config, err = m.configured(ctx, here, w, eachOnce(tell))
		return err
	}); err != nil {
		return m, err
	}
	m.Living.Was = m.Config
	if w.Change != nil {
		if m.Config, err = w.Change(m.Config); err != nil {
			return m, &InputError{err}
		}
	}
	if err := m.choose(w.Back); err != nil {
		return m, err
	}
	if err := m.readLiving(ctx, s, w); err != nil {
		return m, err
	}
	return m, m.expect(s)
}

// readHistory reads what tripod knows of this machine.
func (m *Master) readHistory(h *host.Host) error {
	entries, err := h.ReadJournal(journalPath(m.Config))
	if err != nil {
		return err
	}
	m.Journaled, m.entries = len(entries) > 0, len(entries)
	return m.recall(h, m.Config)
}

// here is what this machine is, by its manifests and the kubelet's certificate.
func (m *Master) here() (config.Here, error) {
	apiserver, member := m.earlierManifest("kube-apiserver"), etcdHere(m.earlierManifest("etcd"))
	m.Paths.PKI = cmp.Or(manifests.HostPath(apiserver, "k8s-certs"), m.Paths.PKI)
	m.Paths.EtcdData = cmp.Or(member.DataDir, m.Paths.EtcdData)
	m.Paths.Binaries = manifests.BinDirOf(apiserver)
	here := config.Here{NodeName: cmp.Or(m.nodeHere(), m.Node.Registration.Name), CRISocket: m.Node.Registration.CRISocket}
	if path := kubeletConfPath(m.Config); m.nodeHere() == "" && len(m.Files[path].Data) > 0 {
		return here, &InputError{fmt.Errorf("%s does not tell what this node is called\nhint: its user is system:node:NAME; put back what it points at (%s)", path, kubeletClientPath(m.Config))}
	}
	if len(apiserver) == 0 {
		return here, nil
	}
	pod, err := m.earlierPod("kube-apiserver")
	if err != nil {
		return here, &InputError{err}
	}
	flags := manifests.CommandFlags(pod)
	addr, err := netip.ParseAddr(flags["advertise-address"])
	if err != nil {
		return here, &InputError{fmt.Errorf("%s: --advertise-address=%s: %w", manifestPath(*m, "kube-apiserver"), flags["advertise-address"], err)}
	}
	port, err := strconv.ParseUint(cmp.Or(flags["secure-port"], "6443"), 10, 16)
	if err != nil {
		return here, &InputError{fmt.Errorf("%s: --secure-port=%s: %w", manifestPath(*m, "kube-apiserver"), flags["secure-port"], err)}
	}
	here.Advertise = netip.AddrPortFrom(addr, uint16(port))
	here.Loopback = loopback(addr)
	if m.Rootless {
		here.Loopback = addr
	}
	m.Advertise, m.Loopback = here.Advertise, here.Loopback
	return here, nil
}

// readLiving reads the rest, which depends on the configuration: keys, the machine, etcd's members, the cluster's objects.
func (m *Master) readLiving(ctx context.Context, s Site, w Wish) error {
	if err := m.read(s.Host, m.Config); err != nil {
		return err
	}
	if !m.isMaster() {
		return m.readWorker(ctx, s)
	}
	m.begin()
	disk, err := diskPKI(s.Host, m.Config, m.Files)
	if err != nil {
		return err
	}
	disk.Without = m.lacking()
	if w.RenewWithVersion && (m.otherVersion() || m.goesOn()) {
		w.Renew = Renewing("all")
	}
	if w.Renew != nil {
		m.Living.elsewhere = m.elsewhere(disk, w.Renew)
		disk = m.renewing(disk, w.Renew)
	}
	var all errgroup.Group
	all.Go(func() (err error) { m.PKI, err = gatherPKI(m.Config, disk, m.Now); return err })
	all.Go(func() (err error) { m.Survey, err = s.Host.Survey(ctx, askLiving(m.Config, m.Rootless)); return err })
	all.Go(func() error { return m.askRunnerSoon(ctx, s.Runner) })
	if err := all.Wait(); err != nil {
		return err
	}
	if err := m.readInputs(s.Host); err != nil {
		return err
	}
	m.readSources(s.Host)
	return m.askAround(ctx, s)
}

// begin remembers the manifests by which all of the run is planned.
func (m *Master) begin() {
	now := map[string][]byte{}
	for _, component := range manifests.Components() {
		if data := m.earlierManifest(component); len(data) > 0 {
			now[component] = data
		}
	}
	m.Living.Manifests = now
}

// otherVersion says whether the apiserver here is of another version than it is to be.
func (m Master) otherVersion() bool {
	v, known := m.runs("kube-apiserver")
	return known && v.Compare(m.Version) != 0
}

// askLiving is what the checks want to know of a machine that is changed.
func askLiving(c config.Config, rootless bool) host.Ask {
	a := ask(c, rootless)
	a.Ports = nil
	a.Dirs = append(a.Dirs, snapshotDir(c))
	return a
}
