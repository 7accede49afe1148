package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// Overrides are the flags of kubeadm init. A field that is not zero, or whose flag was given,
// takes the place of what the documents say.
type Overrides struct {
	// ConfigFile is --config. Load does not read it: the caller does, and hands over the data.
	ConfigFile string

	AdvertiseAddress      string
	BindPort              int32
	CertSANs              []string
	CertificatesDir       string
	CertificateKey        string
	ControlPlaneEndpoint  string
	CRISocket             string
	DryRun                bool
	FeatureGates          string // A=true,B=false
	IgnorePreflightErrors []string
	ImageRepository       string
	KubernetesVersion     string
	NodeName              string
	Patches               string
	PodNetworkCIDR        string
	ServiceCIDR           string
	ServiceDNSDomain      string
	SkipPhases            []string
	Token                 string
	TokenTTL              time.Duration

	// What is printed or uploaded; the documents have no fields for these.
	SkipCertificateKeyPrint, SkipTokenPrint, UploadCerts bool

	// Root is what default paths lie below; empty is "/". Not a flag of init: a sandbox sets it.
	Root string
	// Loopback is a sandbox master's own loopback address; it then may be, and by default is, what the
	// master advertises. Not a flag of init.
	Loopback netip.Addr

	flags *pflag.FlagSet
}

// initFlags are all flags of init.
func initFlags() flags[Overrides] {
	return flags[Overrides]{
		{name: "config", mixes: true, usage: "`file` with kubeadm.k8s.io/v1beta4 documents",
			at: func(o *Overrides) any { return &o.ConfigFile }},
		{name: "apiserver-advertise-address", field: "localAPIEndpoint.advertiseAddress", usage: "`IP` at which others reach this apiserver (default: that of the interface with the default route)",
			at:    func(o *Overrides) any { return &o.AdvertiseAddress },
			apply: func(o Overrides, c *Config) { c.Init.LocalAPIEndpoint.AdvertiseAddress = o.AdvertiseAddress }},
		{name: "apiserver-bind-port", field: "localAPIEndpoint.bindPort", usage: "`port` of the apiserver (default 6443)",
			at:    func(o *Overrides) any { return &o.BindPort },
			apply: func(o Overrides, c *Config) { c.Init.LocalAPIEndpoint.BindPort = o.BindPort }},
		{name: "apiserver-cert-extra-sans", field: "apiServer.certSANs", usage: "more `names` and addresses for the apiserver's certificate",
			at:    func(o *Overrides) any { return &o.CertSANs },
			apply: func(o Overrides, c *Config) { c.Cluster.APIServer.CertSANs = o.CertSANs }},
		{name: "cert-dir", field: "certificatesDir", usage: "`directory` of keys and certificates (default /etc/kubernetes/pki)",
			at:    func(o *Overrides) any { return &o.CertificatesDir },
			apply: func(o Overrides, c *Config) { c.Cluster.CertificatesDir = o.CertificatesDir }},
		{name: "certificate-key", field: "certificateKey", usage: "`key` (32 bytes in hex) that encrypts uploaded certificates",
			at:    func(o *Overrides) any { return &o.CertificateKey },
			apply: func(o Overrides, c *Config) { c.Init.CertificateKey = o.CertificateKey }},
		{name: "control-plane-endpoint", field: "controlPlaneEndpoint", usage: "stable `host[:port]` of all masters together",
			at:    func(o *Overrides) any { return &o.ControlPlaneEndpoint },
			apply: func(o Overrides, c *Config) { c.Cluster.ControlPlaneEndpoint = o.ControlPlaneEndpoint }},
		{name: "cri-socket", field: "nodeRegistration.criSocket", usage: "`socket` of the container runtime, unix:///... (default: the one that is there)",
			at:    func(o *Overrides) any { return &o.CRISocket },
			apply: func(o Overrides, c *Config) { c.Init.NodeRegistration.CRISocket = o.CRISocket }},
		{name: "dry-run", field: "dryRun", mixes: true, usage: "show what would be done, do nothing",
			at:    func(o *Overrides) any { return &o.DryRun },
			apply: func(o Overrides, c *Config) { c.Init.DryRun = o.DryRun }},
		{name: "feature-gates", field: "featureGates", usage: "kubeadm's feature `gates`, NAME=true|false,...",
			at:    func(o *Overrides) any { return &o.FeatureGates },
			apply: func(o Overrides, c *Config) { c.Cluster.FeatureGates, _ = parseGates(o.FeatureGates) }},
		{name: "ignore-preflight-errors", field: "nodeRegistration.ignorePreflightErrors", mixes: true, adds: true, usage: "`checks` whose errors are shown as warnings only, or all",
			at: func(o *Overrides) any { return &o.IgnorePreflightErrors },
			apply: func(o Overrides, c *Config) {
				c.Init.NodeRegistration.IgnorePreflightErrors = slices.Concat(c.Init.NodeRegistration.IgnorePreflightErrors, o.IgnorePreflightErrors)
			}},
		{name: "image-repository", field: "imageRepository", usage: "`repository` of the images (default registry.k8s.io)",
			at:    func(o *Overrides) any { return &o.ImageRepository },
			apply: func(o Overrides, c *Config) { c.Cluster.ImageRepository = o.ImageRepository }},
		{name: "kubernetes-version", field: "kubernetesVersion", usage: "Kubernetes `version` or label (default stable-1: the newest known, no network is asked)",
			at:    func(o *Overrides) any { return &o.KubernetesVersion },
			apply: func(o Overrides, c *Config) { c.Cluster.KubernetesVersion = o.KubernetesVersion }},
		{name: "node-name", field: "nodeRegistration.name", mixes: true, usage: "`name` of this node (default: the host name)",
			at:    func(o *Overrides) any { return &o.NodeName },
			apply: func(o Overrides, c *Config) { c.Init.NodeRegistration.Name = o.NodeName }},
		{name: "patches", field: "patches.directory", usage: "`directory` of patches, named target[suffix][+type].{yaml,json}",
			at:    func(o *Overrides) any { return &o.Patches },
			apply: func(o Overrides, c *Config) { c.Init.Patches = &Patches{Directory: o.Patches} }},
		{name: "pod-network-cidr", field: "networking.podSubnet", usage: "`subnets` of pods; nodes get their part of it",
			at:    func(o *Overrides) any { return &o.PodNetworkCIDR },
			apply: func(o Overrides, c *Config) { c.Cluster.Networking.PodSubnet = o.PodNetworkCIDR }},
		{name: "service-cidr", field: "networking.serviceSubnet", usage: "`subnets` of services (default 10.96.0.0/12)",
			at:    func(o *Overrides) any { return &o.ServiceCIDR },
			apply: func(o Overrides, c *Config) { c.Cluster.Networking.ServiceSubnet = o.ServiceCIDR }},
		{name: "service-dns-domain", field: "networking.dnsDomain", usage: "DNS `domain` of services (default cluster.local)",
			at:    func(o *Overrides) any { return &o.ServiceDNSDomain },
			apply: func(o Overrides, c *Config) { c.Cluster.Networking.DNSDomain = o.ServiceDNSDomain }},
		{name: "skip-phases", field: "skipPhases", mixes: true, usage: "`phases` to leave out",
			at: func(o *Overrides) any { return &o.SkipPhases },
			apply: func(o Overrides, c *Config) {
				if len(o.SkipPhases) > 0 {
					c.Init.SkipPhases = o.SkipPhases
				}
			}},
		{name: "token", field: "bootstrapTokens[0].token", usage: "bootstrap `token` for nodes that join (default: drawn at random)",
			at:    func(o *Overrides) any { return &o.Token },
			apply: func(o Overrides, c *Config) { c.token().Token = o.Token }},
		{name: "token-ttl", field: "bootstrapTokens[0].ttl", usage: "`duration` after which the token expires, 0 is never (default 24h)",
			at:    func(o *Overrides) any { return &o.TokenTTL },
			apply: func(o Overrides, c *Config) { c.token().TTL = duration(o.TokenTTL) }},
		{name: "skip-certificate-key-print", mixes: true, usage: "do not print the key that encrypts uploaded certificates",
			at:    func(o *Overrides) any { return &o.SkipCertificateKeyPrint },
			apply: func(o Overrides, c *Config) { c.SkipCertificateKeyPrint = o.SkipCertificateKeyPrint }},
		{name: "skip-token-print", mixes: true, usage: "do not print the bootstrap token",
			at:    func(o *Overrides) any { return &o.SkipTokenPrint },
			apply: func(o Overrides, c *Config) { c.SkipTokenPrint = o.SkipTokenPrint }},
		{name: "upload-certs", mixes: true, usage: "upload the shared certificates, encrypted, for masters that join",
			at:    func(o *Overrides) any { return &o.UploadCerts },
			apply: func(o Overrides, c *Config) { c.UploadCerts = o.UploadCerts }},
	}
}

// token is the first bootstrap token, made if there is none.
func (c *Config) token() *BootstrapToken {
	if len(c.Init.BootstrapTokens) == 0 {
		c.Init.BootstrapTokens = []BootstrapToken{{}}
	}
	return &c.Init.BootstrapTokens[0]
}

// AddFlags adds the flags of init to fs. Load then knows by fs which of them were given.
func (o *Overrides) AddFlags(fs *pflag.FlagSet) {
	o.flags = fs
	initFlags().addTo(fs, o)
}

func (o Overrides) apply(c *Config, from origins) { initFlags().apply(o, o.flags, c, from) }

// check finds flags that do not go together or can not be read.
func (o Overrides) check(source string) []Complaint {
	complaints := initFlags().check(o.flags, source)
	if _, err := parseGates(o.FeatureGates); err != nil {
		complaints = append(complaints, Complaint{Source: "--feature-gates", Problem: err.Error()})
	}
	return complaints
}

// cautions are warnings about flags that do nothing alone.
func (o Overrides) cautions() []Complaint {
	if o.CertificateKey == "" || o.UploadCerts {
		return nil
	}
	return []Complaint{{Source: "--certificate-key", Problem: "encrypts nothing without --upload-certs"}}
}

// parseGates reads A=true,B=false.
func parseGates(s string) (map[string]bool, error) {
	gates := map[string]bool{}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, text, _ := strings.Cut(part, "=")
		value, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not of the form NAME=true or NAME=false", part)
		}
		gates[name] = value
	}
	return gates, nil
}

// gateNames are the names in a stable order.
func gateNames(gates map[string]bool) []string { return slices.Sorted(maps.Keys(gates)) }
