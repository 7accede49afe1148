package phases

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// showsWithin is the time that a component has to show its certificate.
const showsWithin = time.Second

// AskUsed asks the components that run here, all at once, which certificates they serve, and says of each in all whether it
// is that one.
func AskUsed(ctx context.Context, h *host.Host, c config.Config, all []Expiration) {
	client, err := EtcdTrust(h, c.Paths.PKI) // its keys may not be for us to read
	if err != nil {                          // etcd shows its certificate all the same, but complains in its log
		client = &tls.Config{}
	}
	servers := serversHere(h, c)
	var asking sync.WaitGroup
	for i, e := range all {
		address := servers[e.pair]
		if address == "" || e.cert == nil {
			continue
		}
		asking.Go(func() {
			if served := servedAt(ctx, address, client.Certificates); served != nil {
				all[i].Used = new(served.Equal(e.cert))
			}
		})
	}
	asking.Wait()
}

// servedAt is the certificate that is served at the address, nil if nobody serves one. Whether it is to be trusted does not
// matter: it is only compared.
func servedAt(ctx context.Context, address string, client []tls.Certificate) *x509.Certificate {
	ctx, stop := context.WithTimeout(ctx, showsWithin)
	defer stop()
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, Certificates: client}}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
}

// serversHere are where the pairs of those names are served, as the manifests say: host:port, empty where nobody knows.
// A component whose manifest is not there, or may not be read, is not asked.
func serversHere(h *host.Host, c config.Config) map[string]string {
	member, _ := ReadEtcdHere(h, c) // which is nowhere without a manifest
	local := loopback(netip.IPv4Unspecified())
	return map[string]string{
		"apiserver":               servesAt(h, c, "kube-apiserver", 6443),
		"kube-controller-manager": servesAt(h, c, "kube-controller-manager", controllerManagerPort),
		"kube-scheduler":          servesAt(h, c, "kube-scheduler", schedulerPort),
		"etcd/server":             hostPort(slices.Concat(member.Endpoints, []string{""})[0]),
		"etcd/peer":               hostPort(member.PeerURL),
		kubeletServing:            probe{Port: kubeletPort}.address(local),
	}
}

// servesAt is where the component listens by the flags of its manifest.
func servesAt(h *host.Host, c config.Config, component string, port uint16) string {
	f, exists, _ := h.Read(filepath.Join(c.Paths.Manifests, component+".yaml"))
	if !exists {
		return ""
	}
	var args []config.Arg
	for name, value := range manifests.ManifestFlags(f.Data) {
		args = append(args, config.Arg{Name: name, Value: value})
	}
	everywhere := netip.IPv4Unspecified()
	return secureProbe(args, netip.AddrPortFrom(everywhere, port)).address(loopback(everywhere))
}

func hostPort(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
