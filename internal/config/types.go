package config

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The documents of kubeadm.k8s.io/v1beta4 that init and join read, field by field as
// kubeadm's API has them (cmd/kubeadm/app/apis/kubeadm/v1beta4/types.go). A field with the tag
// since is not in v1beta3. They hold
// what the user wrote and, after Default, kubeadm's defaults; what follows from
// them (addresses, versions) is in Config.

// InitConfiguration says how this one master is brought up.
type InitConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	BootstrapTokens  []BootstrapToken `json:"bootstrapTokens,omitempty"`
	DryRun           bool             `json:"dryRun,omitempty" since:"v1beta4"`
	NodeRegistration NodeRegistration `json:"nodeRegistration,omitempty"`
	LocalAPIEndpoint APIEndpoint      `json:"localAPIEndpoint,omitempty"`
	CertificateKey   string           `json:"certificateKey,omitempty"`
	SkipPhases       []string         `json:"skipPhases,omitempty"`
	Patches          *Patches         `json:"patches,omitempty"`
	Timeouts         *Timeouts        `json:"timeouts,omitempty" since:"v1beta4"`
}

// ClusterConfiguration is what all masters of a cluster share.
type ClusterConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	Etcd                        Etcd                  `json:"etcd,omitempty"`
	Networking                  Networking            `json:"networking,omitempty"`
	KubernetesVersion           string                `json:"kubernetesVersion,omitempty"`
	ControlPlaneEndpoint        string                `json:"controlPlaneEndpoint,omitempty"`
	APIServer                   APIServer             `json:"apiServer,omitempty"`
	ControllerManager           ControlPlaneComponent `json:"controllerManager,omitempty"`
	Scheduler                   ControlPlaneComponent `json:"scheduler,omitempty"`
	DNS                         DNS                   `json:"dns,omitempty"`
	Proxy                       Proxy                 `json:"proxy,omitempty" since:"v1beta4"`
	CertificatesDir             string                `json:"certificatesDir,omitempty"`
	ImageRepository             string                `json:"imageRepository,omitempty"`
	FeatureGates                map[string]bool       `json:"featureGates,omitempty"`
	ClusterName                 string                `json:"clusterName,omitempty"`
	EncryptionAlgorithm         string                `json:"encryptionAlgorithm,omitempty" since:"v1beta4"`
	CertificateValidityPeriod   *metav1.Duration      `json:"certificateValidityPeriod,omitempty" since:"v1beta4"`
	CACertificateValidityPeriod *metav1.Duration      `json:"caCertificateValidityPeriod,omitempty" since:"v1beta4"`
}

// BootstrapToken lets a joining node authenticate.
type BootstrapToken struct {
	Token       string           `json:"token"`
	Description string           `json:"description,omitempty"`
	TTL         *metav1.Duration `json:"ttl,omitempty"`
	Expires     *metav1.Time     `json:"expires,omitempty"`
	Usages      []string         `json:"usages,omitempty"`
	Groups      []string         `json:"groups,omitempty"`
}

// NodeRegistration is how the kubelet of this node registers.
type NodeRegistration struct {
	Name string `json:"name,omitempty"`
	// CRISocket is unix:// and a path.
	CRISocket string `json:"criSocket,omitempty"`
	// Taints: nil stands for the control-plane taint, an empty list for none.
	Taints                []Taint  `json:"taints"`
	KubeletExtraArgs      []Arg    `json:"kubeletExtraArgs,omitempty"`
	IgnorePreflightErrors []string `json:"ignorePreflightErrors,omitempty"`
	ImagePullPolicy       string   `json:"imagePullPolicy,omitempty"`
	ImagePullSerial       *bool    `json:"imagePullSerial,omitempty" since:"v1beta4"`
}

// Taint is corev1.Taint in the fields that a kubelet can register.
type Taint struct {
	Key       string       `json:"key"`
	Value     string       `json:"value,omitempty"`
	Effect    string       `json:"effect"`
	TimeAdded *metav1.Time `json:"timeAdded,omitempty"`
}

// APIEndpoint is where this master's apiserver answers.
type APIEndpoint struct {
	AdvertiseAddress string `json:"advertiseAddress,omitempty"`
	BindPort         int32  `json:"bindPort,omitempty"`
}

// Patches names the directory of patches for manifests and kubelet configuration.
type Patches struct {
	Directory string `json:"directory,omitempty"`
}

// Timeouts bounds the waits; nil fields get kubeadm's defaults.
type Timeouts struct {
	ControlPlaneComponentHealthCheck *metav1.Duration `json:"controlPlaneComponentHealthCheck,omitempty"`
	KubeletHealthCheck               *metav1.Duration `json:"kubeletHealthCheck,omitempty"`
	KubernetesAPICall                *metav1.Duration `json:"kubernetesAPICall,omitempty"`
	EtcdAPICall                      *metav1.Duration `json:"etcdAPICall,omitempty"`
	TLSBootstrap                     *metav1.Duration `json:"tlsBootstrap,omitempty"`
	Discovery                        *metav1.Duration `json:"discovery,omitempty"`
	UpgradeManifests                 *metav1.Duration `json:"upgradeManifests,omitempty"`
}

// Etcd is stacked (Local) or External; tripod runs stacked etcd only and refuses External by name.
type Etcd struct {
	Local    *LocalEtcd    `json:"local,omitempty"`
	External *ExternalEtcd `json:"external,omitempty"`
}

// LocalEtcd is the member on each master.
type LocalEtcd struct {
	ImageMeta      `json:",inline"`
	DataDir        string   `json:"dataDir,omitempty"`
	ExtraArgs      []Arg    `json:"extraArgs,omitempty"`
	ExtraEnvs      []EnvVar `json:"extraEnvs,omitempty" since:"v1beta4"`
	ServerCertSANs []string `json:"serverCertSANs,omitempty"`
	PeerCertSANs   []string `json:"peerCertSANs,omitempty"`
}

// ExternalEtcd is known so that it can be refused by name.
type ExternalEtcd struct {
	Endpoints     []string `json:"endpoints"`
	HTTPEndpoints []string `json:"httpEndpoints,omitempty" since:"v1beta4"`
	CAFile        string   `json:"caFile"`
	CertFile      string   `json:"certFile"`
	KeyFile       string   `json:"keyFile"`
}

// Networking holds the subnets, comma separated where dual-stack, and the DNS domain.
type Networking struct {
	ServiceSubnet string `json:"serviceSubnet,omitempty"`
	PodSubnet     string `json:"podSubnet,omitempty"`
	DNSDomain     string `json:"dnsDomain,omitempty"`
}

// ControlPlaneComponent is what can be changed in a component's pod.
type ControlPlaneComponent struct {
	ExtraArgs    []Arg           `json:"extraArgs,omitempty"`
	ExtraVolumes []HostPathMount `json:"extraVolumes,omitempty"`
	ExtraEnvs    []EnvVar        `json:"extraEnvs,omitempty" since:"v1beta4"`
}

// APIServer is the component with the names of its serving certificate.
type APIServer struct {
	ControlPlaneComponent `json:",inline"`
	CertSANs              []string `json:"certSANs,omitempty"`
}

// Arg is one flag without its dashes. A name may repeat; it then replaces all default values of that name.
type Arg struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// EnvVar is corev1.EnvVar; only literal values are accepted, as a static pod can refer to nothing else.
type EnvVar struct {
	Name      string         `json:"name"`
	Value     string         `json:"value,omitempty"`
	ValueFrom map[string]any `json:"valueFrom,omitempty"`
}

// HostPathMount is a volume of the host in a component's container.
type HostPathMount struct {
	Name      string `json:"name"`
	HostPath  string `json:"hostPath"`
	MountPath string `json:"mountPath"`
	ReadOnly  bool   `json:"readOnly,omitempty"`
	// PathType is a corev1.HostPathType; empty means that nothing is checked.
	PathType string `json:"pathType,omitempty"`
}

// ImageMeta overrides an image.
type ImageMeta struct {
	ImageRepository string `json:"imageRepository,omitempty"`
	ImageTag        string `json:"imageTag,omitempty"`
}

// DNS is the cluster DNS add-on.
type DNS struct {
	ImageMeta `json:",inline"`
	Disabled  bool `json:"disabled,omitempty" since:"v1beta4"`
}

// Proxy is the kube-proxy add-on.
type Proxy struct {
	Disabled bool `json:"disabled,omitempty"`
}
