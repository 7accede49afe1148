package phases

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/etcd"
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
	here, err := m.here()
	if err != nil {
		return m, err
	}
	if m.Config, err = m.configured(ctx, here, w, eachOnce(tell)); err != nil {
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

// expect has the kubelet know the images of what is to run, patches included.
func (m Master) expect(s Site) error {
	if s.Kubelet == nil || !m.isMaster() {
		return nil
	}
	images, unpulled := map[string]string{}, map[string]bool{}
	for _, component := range manifests.Components() {
		c, err := m.wantedContainer(component)
		if err != nil {
			return &InputError{err}
		}
		images[component], unpulled[component] = c.Image, c.ImagePullPolicy == corev1.PullNever
	}
	s.Kubelet.Expect(images, unpulled)
	return nil
}

// wantedContainer is the one that is to run of a component.
func (m Master) wantedContainer(component string) (corev1.Container, error) {
	var pod *corev1.Pod
	var err error
	if m.Living.Back != nil {
		pod, err = manifests.Decode(m.Living.Back.Components[component].manifest())
	} else {
		pod, err = m.wantedPod(component)
	}
	if err != nil {
		return corev1.Container{}, err
	}
	return pod.Spec.Containers[0], nil
}

// readHistory reads what tripod knows of this machine.
func (m *Master) readHistory(h *host.Host) error {
	entries, err := h.ReadJournal(journalPath(m.Config))
	if err != nil {
		return err
	}
	m.Journaled, m.entries = len(entries) > 0, len(entries)
	if m.Membership, err = readMembership(h, m.Config); err != nil {
		return err
	}
	m.Generations, err = ReadGenerations(h, m.Config)
	return err
}

// here is what this machine is, by its manifests and the kubelet's certificate.
func (m *Master) here() (config.Here, error) {
	apiserver, member := m.earlierManifest("kube-apiserver"), etcdHere(m.earlierManifest("etcd"))
	m.Paths.PKI = cmp.Or(manifests.HostPath(apiserver, "k8s-certs"), m.Paths.PKI)
	m.Paths.EtcdData = cmp.Or(member.DataDir, m.Paths.EtcdData)
	m.Paths.Binaries = manifests.BinDirOf(apiserver)
	here := config.Here{NodeName: cmp.Or(m.kubeletsName(), member.Name, m.Node.Registration.Name), CRISocket: m.Node.Registration.CRISocket}
	if len(apiserver) == 0 {
		return here, nil
	}
	flags := manifests.ManifestFlags(apiserver)
	addr, err := netip.ParseAddr(flags["advertise-address"])
	if err != nil {
		return here, &InputError{fmt.Errorf("%s: --advertise-address=%s: %w", manifestPath(*m, "kube-apiserver"), flags["advertise-address"], err)}
	}
	port, err := strconv.ParseUint(cmp.Or(flags["secure-port"], "6443"), 10, 16)
	if err != nil {
		return here, &InputError{fmt.Errorf("%s: --secure-port=%s: %w", manifestPath(*m, "kube-apiserver"), flags["secure-port"], err)}
	}
	here.Advertise = netip.AddrPortFrom(addr, uint16(port))
	if m.Rootless {
		here.Loopback = addr
	}
	m.Advertise, m.Loopback = here.Advertise, loopbackOf(here)
	return here, nil
}

func loopbackOf(here config.Here) netip.Addr {
	if here.Loopback.IsValid() {
		return here.Loopback
	}
	return loopback(here.Advertise.Addr())
}

// choose finds the generation to go back to.
func (m *Master) choose(number int) error {
	if number == 0 {
		return nil
	}
	now := Generation{Components: m.onDisk()}
	for i := len(m.Generations) - 1; i >= 0; i-- {
		g := m.Generations[i]
		switch {
		case len(g.Components) == 0 || number > 0 && g.Number != number, number < 0 && (g.Verdict != Healthy || g.same(now)):
			continue
		}
		m.Living.Back = &g
		return m.configuredAs(g)
	}
	if number > 0 {
		return &InputError{fmt.Errorf("there is no generation %d with its files here\nhint: tripod history shows those that there are", number)}
	}
	return &InputError{errors.New("nothing is known that ran here and was healthy, and does not run now\nhint: tripod history shows what is known")}
}

// configuredAs takes the configuration of the generation.
func (m *Master) configuredAs(g Generation) error {
	if g.Cluster == "" {
		return nil
	}
	c, err := m.Config.OfLiving([]byte(g.Cluster), []byte(g.Kubelet), config.Here{NodeName: m.Node.Registration.Name, CRISocket: m.Node.Registration.CRISocket, Advertise: m.Advertise, Loopback: m.Loopback})
	if err == nil {
		m.Config = c
	}
	return err
}

// readLiving reads the rest, which depends on the configuration: keys, the machine, etcd's members, the cluster's objects.
func (m *Master) readLiving(ctx context.Context, s Site, w Wish) error {
	if err := m.read(s.Host, m.Config); err != nil {
		return err
	}
	if !m.isMaster() {
		return m.readWorker(ctx, s)
	}
	disk, err := diskPKI(s.Host, m.Config, m.Files)
	if err != nil {
		return err
	}
	disk.Without = m.lacking()
	if w.RenewWithVersion && (m.otherVersion() || m.goesOn()) {
		w.Renew = Renewing("all")
	}
	if w.Renew != nil {
		disk = m.renewing(disk, w.Renew)
	}
	var all errgroup.Group
	all.Go(func() (err error) { m.PKI, err = gatherPKI(m.Config, disk, m.Now); return err })
	all.Go(func() (err error) { m.Survey, err = s.Host.Survey(ctx, askLiving(m.Config, m.Rootless)); return err })
	all.Go(func() error { m.Running, m.Alive = runningSoon(ctx, s.Runner); return nil })
	if err := all.Wait(); err != nil {
		return err
	}
	return m.askAround(ctx, s)
}

// aliveWithin is how long a kubelet may take that a killed run has started anew.
const aliveWithin = 10 * time.Second

// runningSoon is running, once who runs the pods answers, or has not in time.
func runningSoon(ctx context.Context, r host.Runner) (map[string]host.Running, bool) {
	ctx, stop := context.WithTimeout(ctx, aliveWithin)
	defer stop()
	for r.Alive(ctx) != nil && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(probeEvery):
		}
	}
	return running(context.WithoutCancel(ctx), r)
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

// askAround asks etcd's members, this master's components, and the cluster, side by side.
func (m *Master) askAround(ctx context.Context, s Site) error {
	now := *m
	var unasked error
	var well map[string]error
	var c ofCluster
	var all errgroup.Group
	all.Go(func() error {
		peers := append(etcdHere(now.earlierManifest("etcd")).Members(s.Host, now.Config), s.Peers...)
		m.Etcd, unasked = etcd.Survey(ctx, peers, now.trust()["etcd"])
		return nil
	})
	all.Go(func() error { well = now.unwell(ctx); return nil })
	all.Go(func() error { c = now.readCluster(ctx); return nil })
	err := all.Wait()
	*m = m.knowing(c)
	m.Living.Unasked, m.Living.Unwell = unasked, well
	return err
}

// unwell asks the components how they are, as they were made before: why those are not healthy that are not, nor get so in a
// moment.
func (m Master) unwell(ctx context.Context) map[string]error {
	ctx, stop := context.WithTimeout(ctx, answerWithin)
	defer stop()
	prober := NewProber(m.before())
	defer prober.Close()
	why := map[string]error{}
	var mu sync.Mutex
	var all errgroup.Group
	for _, component := range manifests.Components() {
		all.Go(func() error {
			if err := prober.soon(ctx, componentProof(component).Attempt); err != nil {
				mu.Lock()
				defer mu.Unlock()
				why[component] = err
			}
			return nil
		})
	}
	_ = all.Wait()
	return why
}

// soon is nil if the proof is given before ctx is over, otherwise the last reason.
func (p *Prober) soon(ctx context.Context, attempt func(context.Context, *Prober) error) error {
	for {
		err := attempt(ctx, p)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(probeEvery):
		}
	}
}
