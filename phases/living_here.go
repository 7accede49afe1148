package phases

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/manifests"
)

// configurationHere is the ClusterConfiguration as far as what lies on this master tells it: enough to issue certificates anew
// with the names that the old ones have. It is for a cluster that nobody can ask, and of which tripod knows nothing.
func (m Master) configurationHere() ([]byte, error) {
	v, known := m.runs("kube-apiserver")
	if !known {
		return nil, fmt.Errorf("%s names no version of Kubernetes", manifestPath(m, "kube-apiserver"))
	}
	apiserver := manifests.ManifestFlags(m.earlierManifest("kube-apiserver"))
	manager := manifests.ManifestFlags(m.earlierManifest("kube-controller-manager"))
	c := config.ClusterConfiguration{
		TypeMeta:             metav1.TypeMeta{APIVersion: "kubeadm.k8s.io/v1beta4", Kind: "ClusterConfiguration"},
		KubernetesVersion:    v.Tag(),
		CertificatesDir:      m.Paths.PKI,
		ControlPlaneEndpoint: m.endpointHere(),
		EncryptionAlgorithm:  m.algorithmHere(),
	}
	c.APIServer.CertSANs = m.namesHere("apiserver")
	c.Networking.ServiceSubnet, c.Networking.PodSubnet = apiserver["service-cluster-ip-range"], manager["cluster-cidr"]
	_, c.Networking.DNSDomain, _ = strings.Cut(apiserver["service-account-issuer"], ".svc.")
	c.Etcd.Local = &config.LocalEtcd{DataDir: m.Paths.EtcdData, ServerCertSANs: m.namesHere("etcd/server"), PeerCertSANs: m.namesHere("etcd/peer")}
	return yaml.Marshal(c)
}

// leafHere is the certificate of that name on disk; nil if there is none that can be read.
func (m Master) leafHere(name string) *x509.Certificate {
	pair, err := certs.Parse(m.Files[issuedAt(m.Config, name)].Data, nil)
	if err != nil {
		return nil
	}
	return pair.Cert
}

// namesHere are the names and addresses that a certificate is for.
func (m Master) namesHere(name string) []string {
	cert := m.leafHere(name)
	if cert == nil {
		return nil
	}
	names := append([]string{}, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// endpointHere is the server of admin.conf, if it is not this master's own.
func (m Master) endpointHere() string {
	k, err := readKubeconfig(m.Files[filepath.Join(m.Paths.Kubernetes, adminConf)].Data)
	u, bad := url.Parse(k.server)
	if err != nil || bad != nil || u.Host == m.Advertise.String() {
		return ""
	}
	return u.Host
}

// algorithmHere is that of the apiserver's key, by the names of the configuration.
func (m Master) algorithmHere() string {
	cert := m.leafHere("apiserver")
	if cert == nil {
		return ""
	}
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return fmt.Sprintf("ECDSA-P%d", key.Curve.Params().BitSize)
	}
	return ""
}
