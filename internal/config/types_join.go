package config

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// JoinConfiguration says how this one machine joins a cluster.
type JoinConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	DryRun           bool             `json:"dryRun,omitempty" since:"v1beta4"`
	NodeRegistration NodeRegistration `json:"nodeRegistration,omitempty"`
	// CACertPath is where the cluster's CA is written to.
	CACertPath string    `json:"caCertPath,omitempty"`
	Discovery  Discovery `json:"discovery"`
	// ControlPlane is nil for a worker.
	ControlPlane *JoinControlPlane `json:"controlPlane,omitempty"`
	SkipPhases   []string          `json:"skipPhases,omitempty"`
	Patches      *Patches          `json:"patches,omitempty"`
	Timeouts     *Timeouts         `json:"timeouts,omitempty" since:"v1beta4"`

	// Claimed is the ClusterConfiguration of the same file, as it was written: what a further master takes its cluster to
	// be. Nil if there is none, or for a worker.
	Claimed *ClusterConfiguration `json:"-"`
}

// Discovery is how the cluster is found and trusted: by a token or by a kubeconfig, never by both.
type Discovery struct {
	BootstrapToken *BootstrapTokenDiscovery `json:"bootstrapToken,omitempty"`
	File           *FileDiscovery           `json:"file,omitempty"`
	// TLSBootstrapToken is what the kubelet asks for its certificate with; after Default it is that of
	// BootstrapToken where nothing else was given. Empty with a file that has credentials of its own.
	TLSBootstrapToken string `json:"tlsBootstrapToken,omitempty"`
}

// BootstrapTokenDiscovery trusts what the token has signed, and the CA that is pinned.
type BootstrapTokenDiscovery struct {
	Token string `json:"token"`
	// APIServerEndpoint is host:port.
	APIServerEndpoint string `json:"apiServerEndpoint,omitempty"`
	// CACertHashes are sha256: and the hex of the digest of a CA's public key.
	CACertHashes             []string `json:"caCertHashes,omitempty"`
	UnsafeSkipCAVerification bool     `json:"unsafeSkipCAVerification,omitempty"`
}

// FileDiscovery trusts a kubeconfig: a path or an https URL.
type FileDiscovery struct {
	KubeConfigPath string `json:"kubeConfigPath"`
}

// JoinControlPlane is what a further master needs.
type JoinControlPlane struct {
	LocalAPIEndpoint APIEndpoint `json:"localAPIEndpoint,omitempty"`
	CertificateKey   string      `json:"certificateKey,omitempty"`
}
