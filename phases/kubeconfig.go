package phases

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
)

// kubeconfig is the file of that name: the client's way to the apiserver. All certificates of the
// CA's bundle are in it. The kubelet's names the file that the kubelet rotates its certificate in.
func kubeconfig(name string, c config.Config, ca, client certs.Pair) ([]byte, error) {
	auth, err := authInfo(name, c, client)
	if err != nil {
		return nil, err
	}
	return kubeconfigOf(name, c, client.Cert.Subject.CommonName, ca.ChainPEM(), auth)
}

// kubeconfigOf is the file of that name for a user of any kind. The CA may be left open.
func kubeconfigOf(name string, c config.Config, user string, ca []byte, auth *api.AuthInfo) ([]byte, error) {
	cluster := c.Cluster.ClusterName
	context := user + "@" + cluster
	return clientcmd.Write(api.Config{
		Clusters:       map[string]*api.Cluster{cluster: {Server: serverURL(name, c), CertificateAuthorityData: ca}},
		AuthInfos:      map[string]*api.AuthInfo{user: auth},
		Contexts:       map[string]*api.Context{context: {Cluster: cluster, AuthInfo: user}},
		CurrentContext: context,
	})
}

func authInfo(name string, c config.Config, client certs.Pair) (*api.AuthInfo, error) {
	if name == kubeletConf {
		current := kubeletClientPath(c)
		return &api.AuthInfo{ClientCertificate: current, ClientKey: current}, nil
	}
	key, err := client.KeyPEM()
	if err != nil {
		return nil, err
	}
	return &api.AuthInfo{ClientCertificateData: client.CertPEM(), ClientKeyData: key}, nil
}

// kubeletClientPath is where the kubelet keeps its client certificate and key, both in one file:
// a link to the newest pair after it has rotated them.
func kubeletClientPath(c config.Config) string {
	return filepath.Join(c.Paths.Kubelet, "pki", "kubelet-client-current.pem")
}

// serverURL is that in the kubeconfig of that name. People use the endpoint of the cluster; what runs
// on a master talks to its own apiserver, which during an upgrade may be the only one of its version.
func serverURL(name string, c config.Config) string {
	host := c.Advertise.String()
	if name == adminConf || name == superAdminConf || joinsAsWorker(c) {
		host = c.Endpoint
	}
	return (&url.URL{Scheme: "https", Host: host}).String()
}

// keepKubeconfig is old if its server, CA and client are what they should be, otherwise a new file.
// The client's certificate in p has been kept by then if it can be.
func keepKubeconfig(name string, c config.Config, p PKI, old []byte) ([]byte, error) {
	ca, client := p.Pairs[clusterCA], p.Pairs[name]
	if old != nil {
		k, err := readKubeconfig(old)
		if err != nil {
			return nil, err
		}
		if k.server == serverURL(name, c) && k.trusts(ca) && k.is(name, c, client) {
			return old, nil
		}
	}
	return kubeconfig(name, c, ca, client)
}

// connection is what the current context of a kubeconfig says.
type connection struct {
	server string
	ca     []*x509.Certificate
	// client is the embedded pair, the zero Pair if there is none.
	client certs.Pair
	// clientFile and keyFile are the files that hold the pair, if it is not embedded.
	clientFile, keyFile string
	// keyPEM is the embedded key, which may be there without its certificate.
	keyPEM []byte
}

func readKubeconfig(data []byte) (connection, error) {
	file, err := clientcmd.Load(data)
	if err != nil {
		return connection{}, fmt.Errorf("parsing the kubeconfig: %w", err)
	}
	context := file.Contexts[file.CurrentContext]
	if context == nil || file.Clusters[context.Cluster] == nil || file.AuthInfos[context.AuthInfo] == nil {
		return connection{}, errors.New("the kubeconfig's current context lacks its cluster or its user\nhint: repair the file, or remove it to have it made anew")
	}
	cluster, auth := file.Clusters[context.Cluster], file.AuthInfos[context.AuthInfo]
	k := connection{server: cluster.Server, clientFile: auth.ClientCertificate, keyFile: auth.ClientKey, keyPEM: auth.ClientKeyData}
	if len(cluster.CertificateAuthorityData) > 0 {
		ca, err := certs.Parse(cluster.CertificateAuthorityData, nil)
		if err != nil {
			return connection{}, fmt.Errorf("the kubeconfig's CA: %w", err)
		}
		k.ca = ca.Chain
	}
	if len(auth.ClientCertificateData) > 0 {
		if k.client, err = certs.Parse(auth.ClientCertificateData, auth.ClientKeyData); err != nil {
			return connection{}, fmt.Errorf("the kubeconfig's client certificate: %w", err)
		}
	}
	return k, nil
}

// sameCluster is an error if the file trusts no key that is one of the CA's.
func (k connection) sameCluster(ca certs.Pair) error {
	ours := func(cert *x509.Certificate) bool {
		return slices.ContainsFunc(ca.Chain, func(c *x509.Certificate) bool {
			return certs.Fingerprint(c.PublicKey) == certs.Fingerprint(cert.PublicKey)
		})
	}
	if len(k.ca) == 0 || slices.ContainsFunc(k.ca, ours) {
		return nil
	}
	here := "there is no CA here"
	if ca.Cert != nil {
		here = "the CA here is " + certs.Fingerprint(ca.Cert.PublicKey)
	}
	return fmt.Errorf("the kubeconfig belongs to another cluster: its CA is %s, %s\nhint: move the file away, or put that cluster's CA back",
		certs.Fingerprint(k.ca[0].PublicKey), here)
}

func (k connection) trusts(ca certs.Pair) bool {
	return !slices.ContainsFunc(ca.Chain, func(c *x509.Certificate) bool { return !slices.ContainsFunc(k.ca, c.Equal) })
}

// is says whether the user is the client. The kubelet's must be its rotating file: from an embedded
// certificate it would start with the old one again and again.
func (k connection) is(name string, c config.Config, client certs.Pair) bool {
	if name == kubeletConf {
		return k.clientFile == kubeletClientPath(c) && k.keyFile == kubeletClientPath(c)
	}
	return k.client.Cert != nil && k.client.Cert.Equal(client.Cert)
}
