package phases

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/templates"
)

const (
	etcdClientPort  = 2379
	etcdPeerPort    = 2380
	etcdMetricsPort = 2381
)

// etcdValues are what the template of etcd places.
type etcdValues struct {
	common
	Name string
	// ClientURL and PeerURL are where others reach this member.
	ClientURL, PeerURL string
	// InitialCluster are the members, by name and peer URL, that it looks for when it starts for the first time; Existing
	// says that they are a cluster already.
	InitialCluster string
	Existing       bool
	// ListenClientURLs begin with the loopback address, where the apiserver of this master finds its etcd.
	ListenClientURLs string
	MetricsURL       string
	// Mark is the file without which nobody starts this member, MarkMount where its pod has it.
	DataDir, Mark, MarkMount, Certs string
	// Experimental is an etcd before 3.6, whose flags for corruption checks and progress are still called that.
	Experimental bool
}

func (m Master) etcdValues() etcdValues {
	members, existing := m.initialCluster()
	return etcdValues{
		InitialCluster:   members,
		Existing:         existing,
		common:           m.common("etcd", m.etcdProbe()),
		Name:             m.Node.Registration.Name,
		ClientURL:        etcdURL(m.Advertise.Addr(), etcdClientPort),
		PeerURL:          m.peerURL(),
		ListenClientURLs: strings.Join(m.etcdListens(), ","),
		MetricsURL:       m.etcdMetrics(),
		DataDir:          m.Paths.EtcdData,
		Mark:             markPath(m.Config),
		MarkMount:        m.markMount(),
		Certs:            filepath.Join(m.Paths.PKI, "etcd"),
		Experimental:     m.EtcdVersion.Major == 3 && m.EtcdVersion.Minor < 6,
	}
}

func etcdURL(addr netip.Addr, port uint16) string {
	return (&url.URL{Scheme: "https", Host: netip.AddrPortFrom(addr, port).String()}).String()
}

// etcdListens are the URLs for clients. A sandbox's address is loopback and advertised: it appears once.
func (m Master) etcdListens() []string {
	return slices.Compact([]string{etcdURL(m.Loopback, etcdClientPort), etcdURL(m.Advertise.Addr(), etcdClientPort)})
}

// etcdMetrics is plain HTTP: health and metrics, on loopback.
func (m Master) etcdMetrics() string {
	return "http://" + netip.AddrPortFrom(m.Loopback, etcdMetricsPort).String()
}

// etcdProbe is the first metrics URL, the user's if there is one.
func (m Master) etcdProbe() probe {
	first, _, _ := strings.Cut(argument(localEtcd(m.Config).ExtraArgs, "listen-metrics-urls", m.etcdMetrics()), ",")
	u, err := url.Parse(first)
	if err != nil || u.Hostname() == "" {
		return probe{Scheme: "HTTP", Host: m.Loopback.String(), Port: etcdMetricsPort}
	}
	p := probe{Scheme: strings.ToUpper(u.Scheme), Host: u.Hostname(), Port: etcdMetricsPort}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		p.Port = port
	}
	return p.reachable()
}

// etcdPod is the member's pod.
func etcdPod(m Master) (*corev1.Pod, error) {
	local := localEtcd(m.Config)
	extra := config.ControlPlaneComponent{ExtraArgs: local.ExtraArgs, ExtraEnvs: local.ExtraEnvs}
	return m.pod(templates.Etcd(), m.etcdValues(), m.EtcdVersion, extra)
}

// etcdManifest wants the member's data directory, which nobody but root may look into, its mark, and its manifest.
func etcdManifest(m Master) ([]Change, error) {
	pod, err := etcdPod(m)
	if err != nil {
		return nil, err
	}
	manifest, err := m.manifest(pod)
	return slices.Concat(directory(m, m.Paths.EtcdData, 0o700), narrow(m, m.Paths.EtcdData, 0o700), m.dataMark(), manifest), err
}

// proveEtcd asks the member for its own view, then makes a linearizable read through it: its answer went through a majority.
func proveEtcd(ctx context.Context, p *Prober) error {
	return p.attempt(ctx, "etcd", func() error {
		if err := p.get(ctx, "etcd", p.master.etcdProbe().url(p.master.Loopback, "/readyz")); err != nil {
			return err
		}
		return p.ask(ctx, func(member *etcd.Member) error {
			if err := member.Healthy(ctx); err != nil {
				return err
			}
			return p.sameMember(ctx, member)
		})
	})
}

// etcdEndpoint is where the member is read from: the first URL that it listens at, on loopback unless the user says otherwise.
func (m Master) etcdEndpoint() string {
	listens := argument(localEtcd(m.Config).ExtraArgs, "listen-client-urls", m.etcdListens()[0])
	first, _, _ := strings.Cut(listens, ",")
	u, err := url.Parse(first)
	if err != nil {
		return first
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && addr.IsUnspecified() {
		u.Host = net.JoinHostPort(m.Loopback.String(), u.Port())
	}
	return u.String()
}
