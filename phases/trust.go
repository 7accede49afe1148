package phases

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/manifests"
)

// trust is how each component's certificate is verified, and who asks. The controller-manager and the
// scheduler answer anybody; their certificates name the loopback address, wherever they listen.
func (m Master) trust() map[string]*tls.Config {
	etcd := &tls.Config{RootCAs: m.PKI.roots("etcd/server", etcdCA), Certificates: identity(m.PKI.Pairs["etcd/healthcheck-client"])}
	loopback := m.Loopback.String()
	all := map[string]*tls.Config{
		"etcd":                    etcd,
		"kube-apiserver":          m.serving("apiserver", m.Advertise.Addr().String(), m.Cluster.APIServer.ExtraArgs),
		"kube-controller-manager": m.serving("kube-controller-manager", loopback, m.Cluster.ControllerManager.ExtraArgs),
		"kube-scheduler":          m.serving("kube-scheduler", loopback, m.Cluster.Scheduler.ExtraArgs),
	}
	all["kube-apiserver"].Certificates = m.administrator()
	return all
}

// serving verifies the pair of that name by its authority, or, where the user has given the component a certificate
// of theirs, that it is this one: who signed it and for which names is the user's affair.
func (m Master) serving(pair, name string, args []config.Arg) *tls.Config {
	if m.signsForItself(pair) {
		return &tls.Config{
			InsecureSkipVerify: true, // VerifyConnection does what can be done
			VerifyConnection:   func(s tls.ConnectionState) error { return madeForItself(s.PeerCertificates) },
		}
	}
	theirs := argument(args, "tls-cert-file", "")
	ours, _ := pairPaths(m.Config, pair)
	if theirs == "" || theirs == ours {
		return &tls.Config{RootCAs: m.PKI.roots(pair, clusterCA), ServerName: name}
	}
	return &tls.Config{
		InsecureSkipVerify: true, // VerifyConnection is stricter
		VerifyConnection: func(s tls.ConnectionState) error {
			data, exists := m.Inputs[theirs]
			if !exists {
				data = m.Files[theirs].Data
			}
			want, err := certs.Parse(data, nil)
			if err != nil {
				return fmt.Errorf("%s, the component's certificate: %w", theirs, err)
			}
			if !bytes.Equal(want.Cert.Raw, s.PeerCertificates[0].Raw) {
				return fmt.Errorf("it serves another certificate than that in %s", theirs)
			}
			return nil
		},
	}
}

// madeForItself is nil for a certificate as components make it for themselves where they are given none: for localhost, by an
// authority that they make along with it, anew at each start (k8s.io/apiserver, MaybeDefaultWithSelfSignedCerts). No authority
// of the cluster vouches for it, so that whoever gets hold of the port could show one like it. He would hear nothing that is
// secret: these components are asked without credentials, and that the right container runs is proved by its revision. It
// lives as long as its process, past its end.
func madeForItself(shown []*x509.Certificate) error {
	roots := x509.NewCertPool()
	for _, authority := range shown[1:] {
		roots.AddCert(authority)
	}
	_, err := shown[0].Verify(x509.VerifyOptions{DNSName: "localhost", Roots: roots, CurrentTime: shown[0].NotBefore})
	if err != nil {
		return fmt.Errorf("it is not the certificate that the component makes for itself: %w", err)
	}
	return nil
}

// administrator is whom the apiserver answers always: RBAC can refuse the one in admin.conf as long as it has no rules.
func (m Master) administrator() []tls.Certificate {
	if all := identity(m.PKI.Pairs[superAdminConf]); all != nil {
		return all
	}
	return identity(m.PKI.Pairs[adminConf])
}

// identity is the pair as a client's certificate; none if there is no key.
func identity(p certs.Pair) []tls.Certificate {
	if p.Cert == nil || p.Key == nil {
		return nil
	}
	return []tls.Certificate{{Certificate: [][]byte{p.Cert.Raw}, PrivateKey: p.Key, Leaf: p.Cert}}
}

// signsForItself says whether the component has no certificate of ours, as one that kubeadm has made: in a manifest that is
// not made by the configuration.
func (m Master) signsForItself(component string) bool {
	if m.Living == nil || component == "apiserver" {
		return false
	}
	manifest := m.earlierManifest(component)
	switch {
	case m.Living.Back != nil && !m.Living.Earlier:
		manifest = m.Living.Back.Components[component].manifest()
	case !m.Living.Earlier && !m.Living.Kept:
		return false
	}
	return manifests.ManifestFlags(manifest)["tls-cert-file"] == ""
}
