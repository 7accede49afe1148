package phases

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// EtcdHere is the etcd member of this machine as its manifest has it; zero where there is no manifest.
type EtcdHere struct {
	Name, PeerURL string
	// Endpoints are where it listens for clients, loopback first as kubeadm has it.
	Endpoints []string
	// DataDir and Certs are directories on the machine.
	DataDir, Certs string
	// Existing says that it was made to join others.
	Existing bool
}

// ReadEtcdHere reads the manifest of etcd in the manifest directory.
func ReadEtcdHere(h *host.Host, c config.Config) (EtcdHere, error) {
	f, _, err := h.Read(filepath.Join(c.Paths.Manifests, "etcd.yaml"))
	return etcdHere(f.Data), err
}

func etcdHere(manifest []byte) EtcdHere {
	flags := manifests.ManifestFlags(manifest)
	e := EtcdHere{Name: flags["name"], PeerURL: firstOf(flags["initial-advertise-peer-urls"]),
		DataDir: manifests.HostPath(manifest, "etcd-data"), Certs: manifests.HostPath(manifest, "etcd-certs"), Existing: flags["initial-cluster-state"] == "existing"}
	for listen := range strings.SplitSeq(flags["listen-client-urls"], ",") {
		if u, err := url.Parse(listen); err == nil && u.Host != "" {
			e.Endpoints = append(e.Endpoints, reachable(u))
		}
	}
	return e
}

// Is says whether the member is the one here.
func (e EtcdHere) Is(p etcd.Peer) bool {
	return e.PeerURL != "" && slices.Contains(p.PeerURLs, e.PeerURL)
}

// CertDir is the directory of certificates in which those of etcd are.
func (e EtcdHere) CertDir(c config.Config) string {
	if e.Certs == "" {
		return c.Paths.PKI
	}
	return filepath.Dir(e.Certs)
}

// Members are URLs at which some member may answer: this machine's, and those of the others that its data know of while it
// does not run. Without a manifest it is the usual one.
func (e EtcdHere) Members(h *host.Host, c config.Config) []string {
	urls := slices.Clone(e.Endpoints)
	if len(urls) == 0 {
		urls = []string{etcdURL(loopback(netip.IPv4Unspecified()), etcdClientPort)}
	}
	known, _ := etcd.Stored(h.Path(cmp.Or(e.DataDir, c.Paths.EtcdData))) // or it runs, and says so itself
	for _, p := range known {
		urls = append(urls, p.ClientURLs...)
	}
	slices.Sort(urls)
	return slices.Compact(urls)
}

// reachable is the URL of one who listens there; on all addresses, loopback is one.
func reachable(u *url.URL) string {
	addr, err := netip.ParseAddr(u.Hostname())
	if err == nil && addr.IsUnspecified() {
		u.Host = strings.Replace(u.Host, addr.String(), loopback(addr).String(), 1)
	}
	return u.String()
}

func loopback(like netip.Addr) netip.Addr {
	if like.Is6() {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

func firstOf(list string) string {
	one, _, _ := strings.Cut(list, ",")
	return one
}

// EtcdTrust is how a client of etcd's is known, and knows its members, by kubeadm's files below the directory of
// certificates: etcd/ca.crt and etcd/healthcheck-client. Where that has expired and the authority's key is here, it is a
// client with a certificate of its own, that is nowhere written.
func EtcdTrust(h *host.Host, pki string) (*tls.Config, error) {
	pairs, err := etcdClient(h, pki)
	if err != nil {
		return nil, err
	}
	return Master{Facts: Facts{PKI: PKI{Pairs: pairs}}}.trust()["etcd"], nil
}

func etcdClient(h *host.Host, pki string) (map[string]certs.Pair, error) {
	pairs := map[string]certs.Pair{}
	for _, name := range []string{etcdCA, "etcd/healthcheck-client"} {
		path := filepath.Join(pki, name)
		cert, key, err := h.ReadPair(path+".crt", path+".key")
		if err != nil {
			return nil, err
		}
		if cert == nil || key == nil && name != etcdCA {
			return nil, fmt.Errorf("%s.crt, by which etcd is asked, is not there, or its key is not", path)
		}
		if pairs[name], err = certs.Parse(cert, key); err != nil && name == etcdCA {
			pairs[name], err = certs.Parse(cert, nil) // to ask does not take the key
		}
		if err != nil {
			return nil, fmt.Errorf("%s.crt: %w", path, err)
		}
	}
	return withValidClient(pairs), nil
}

// withValidClient has a client whose certificate has expired get another from the authority: an etcd refuses the expired one.
// Without the authority's key it stays as it is, and what comes of that is told by who asks.
func withValidClient(pairs map[string]certs.Pair) map[string]certs.Pair {
	ca, client := pairs[etcdCA], pairs["etcd/healthcheck-client"]
	if ca.Key == nil || host.Now().Before(client.Cert.NotAfter) {
		return pairs
	}
	spec := certs.Spec{CommonName: client.Cert.Subject.CommonName, Organization: client.Cert.Subject.Organization,
		Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, Algorithm: certs.ECDSAP256, Validity: clientValidity}
	if drawn, err := certs.Issue(spec, &ca, host.Now()); err == nil {
		pairs["etcd/healthcheck-client"] = drawn
	}
	return pairs
}

// clientValidity is longer than anybody asks etcd for something.
const clientValidity = time.Hour
