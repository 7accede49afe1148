package bootstrap

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

const (
	// InfoNamespace and InfoName are where cluster-info is, for everybody to read.
	InfoNamespace, InfoName = "kube-public", "cluster-info"
	// InfoKey holds the kubeconfig in cluster-info.
	InfoKey = "kubeconfig"
	// SignaturePrefix comes before the token's ID in the keys of cluster-info's signatures.
	SignaturePrefix = "jws-kubeconfig-"
)

// CAHash is how a CA is pinned: the digest of its public key (RFC 7469, in hex), sha256:...
func CAHash(ca *x509.Certificate) string {
	digest := sha256.Sum256(ca.RawSubjectPublicKeyInfo)
	return "sha256:" + hex.EncodeToString(digest[:])
}

// ClusterInfo is the kubeconfig in cluster-info: where the cluster is and whom to trust, and no user.
func ClusterInfo(server string, caPEM []byte) (string, error) {
	data, err := clientcmd.Write(api.Config{
		Clusters: map[string]*api.Cluster{"": {Server: server, CertificateAuthorityData: caPEM}},
	})
	return string(data), err
}
