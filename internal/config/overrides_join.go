package config

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// JoinOverrides are the flags of kubeadm join, and its argument. A field that is not zero, or whose
// flag was given, takes the place of what the document says.
type JoinOverrides struct {
	// ConfigFile is --config. LoadJoin does not read it: the caller does, and hands over the data.
	ConfigFile string
	// Endpoint is the argument of join: host:port of an apiserver. With a file it is ignored, as by kubeadm.
	Endpoint string

	AdvertiseAddress      string
	BindPort              int32
	CAHashes              []string
	CertificateKey        string
	ControlPlane          bool
	CRISocket             string
	DiscoveryFile         string
	DiscoveryToken        string
	DryRun                bool
	IgnorePreflightErrors []string
	NodeName              string
	Patches               string
	SkipPhases            []string
	TLSBootstrapToken     string
	// Token stands for DiscoveryToken and TLSBootstrapToken where these are not given.
	Token                    string
	UnsafeSkipCAVerification bool

	// Root is what default paths lie below; empty is "/". Not a flag of join: a sandbox sets it.
	Root string
	// Loopback is a sandbox node's own loopback address. Not a flag of join.
	Loopback netip.Addr

	flags *pflag.FlagSet
}

// joinFlags are all flags of join.
func joinFlags() flags[JoinOverrides] {
	return flags[JoinOverrides]{
		{name: "config", mixes: true, usage: "`file` with a JoinConfiguration of kubeadm.k8s.io/v1beta4",
			at: func(o *JoinOverrides) any { return &o.ConfigFile }},
		{name: "apiserver-advertise-address", field: "controlPlane.localAPIEndpoint.advertiseAddress", usage: "`IP` at which others reach the apiserver of a further master",
			at:    func(o *JoinOverrides) any { return &o.AdvertiseAddress },
			apply: func(o JoinOverrides, c *Config) { c.further(o).LocalAPIEndpoint.AdvertiseAddress = o.AdvertiseAddress }},
		{name: "apiserver-bind-port", field: "controlPlane.localAPIEndpoint.bindPort", usage: "`port` of the apiserver of a further master (default 6443)",
			at:    func(o *JoinOverrides) any { return &o.BindPort },
			apply: func(o JoinOverrides, c *Config) { c.further(o).LocalAPIEndpoint.BindPort = o.BindPort }},
		{name: "certificate-key", field: "controlPlane.certificateKey", usage: "`key` (32 bytes in hex) that the uploaded certificates are encrypted with",
			at:    func(o *JoinOverrides) any { return &o.CertificateKey },
			apply: func(o JoinOverrides, c *Config) { c.further(o).CertificateKey = o.CertificateKey }},
		{name: "control-plane", field: "controlPlane", usage: "join as a further master",
			at:    func(o *JoinOverrides) any { return &o.ControlPlane },
			apply: func(o JoinOverrides, c *Config) { c.further(o) }},
		{name: "cri-socket", field: "nodeRegistration.criSocket", usage: "`socket` of the container runtime, unix:///... (default: the one that is there)",
			at:    func(o *JoinOverrides) any { return &o.CRISocket },
			apply: func(o JoinOverrides, c *Config) { c.Join.NodeRegistration.CRISocket = o.CRISocket }},
		{name: "discovery-file", field: "discovery.file.kubeConfigPath", usage: "kubeconfig that says where the cluster is: `file` or https URL",
			at: func(o *JoinOverrides) any { return &o.DiscoveryFile },
			apply: func(o JoinOverrides, c *Config) {
				c.Join.Discovery.File = &FileDiscovery{KubeConfigPath: o.DiscoveryFile}
			}},
		{name: "token", field: "discovery.bootstrapToken.token", also: "discovery.tlsBootstrapToken", usage: "`token` for --discovery-token and --tls-bootstrap-token where these are not given",
			at: func(o *JoinOverrides) any { return &o.Token },
			apply: func(o JoinOverrides, c *Config) {
				c.Join.byToken(o).Token = o.Token
				c.Join.Discovery.TLSBootstrapToken = o.Token
			}},
		{name: "discovery-token", field: "discovery.bootstrapToken.token", usage: "bootstrap `token` that the cluster's description is signed with",
			at:    func(o *JoinOverrides) any { return &o.DiscoveryToken },
			apply: func(o JoinOverrides, c *Config) { c.Join.byToken(o).Token = o.DiscoveryToken }},
		{name: "discovery-token-ca-cert-hash", field: "discovery.bootstrapToken.caCertHashes", usage: "`hashes` of the public keys of CAs to trust, sha256:HEX",
			at:    func(o *JoinOverrides) any { return &o.CAHashes },
			apply: func(o JoinOverrides, c *Config) { c.Join.byToken(o).CACertHashes = o.CAHashes }},
		{name: "discovery-token-unsafe-skip-ca-verification", field: "discovery.bootstrapToken.unsafeSkipCAVerification", usage: "join without --discovery-token-ca-cert-hash",
			at: func(o *JoinOverrides) any { return &o.UnsafeSkipCAVerification },
			apply: func(o JoinOverrides, c *Config) {
				c.Join.byToken(o).UnsafeSkipCAVerification = o.UnsafeSkipCAVerification
			}},
		{name: "dry-run", field: "dryRun", mixes: true, usage: "show what would be done, do nothing",
			at:    func(o *JoinOverrides) any { return &o.DryRun },
			apply: func(o JoinOverrides, c *Config) { c.Join.DryRun = o.DryRun }},
		{name: "ignore-preflight-errors", field: "nodeRegistration.ignorePreflightErrors", mixes: true, adds: true, usage: "`checks` whose errors are shown as warnings only, or all",
			at: func(o *JoinOverrides) any { return &o.IgnorePreflightErrors },
			apply: func(o JoinOverrides, c *Config) {
				c.Join.NodeRegistration.IgnorePreflightErrors = slices.Concat(c.Join.NodeRegistration.IgnorePreflightErrors, o.IgnorePreflightErrors)
			}},
		{name: "node-name", field: "nodeRegistration.name", mixes: true, usage: "`name` of this node (default: the host name)",
			at:    func(o *JoinOverrides) any { return &o.NodeName },
			apply: func(o JoinOverrides, c *Config) { c.Join.NodeRegistration.Name = o.NodeName }},
		{name: "patches", field: "patches.directory", usage: "`directory` of patches, named target[suffix][+type].{yaml,json}",
			at:    func(o *JoinOverrides) any { return &o.Patches },
			apply: func(o JoinOverrides, c *Config) { c.Join.Patches = &Patches{Directory: o.Patches} }},
		{name: "skip-phases", field: "skipPhases", mixes: true, usage: "`phases` to leave out",
			at: func(o *JoinOverrides) any { return &o.SkipPhases },
			apply: func(o JoinOverrides, c *Config) {
				if len(o.SkipPhases) > 0 {
					c.Join.SkipPhases = o.SkipPhases
				}
			}},
		{name: "tls-bootstrap-token", field: "discovery.tlsBootstrapToken", usage: "bootstrap `token` that the kubelet asks for its certificate with",
			at:    func(o *JoinOverrides) any { return &o.TLSBootstrapToken },
			apply: func(o JoinOverrides, c *Config) { c.Join.Discovery.TLSBootstrapToken = o.TLSBootstrapToken }},
	}
}

// further is the part of a further master; without --control-plane it goes nowhere.
func (c *Config) further(o JoinOverrides) *JoinControlPlane {
	if !o.ControlPlane {
		return &JoinControlPlane{}
	}
	if c.Join.ControlPlane == nil {
		c.Join.ControlPlane = &JoinControlPlane{}
	}
	return c.Join.ControlPlane
}

// byToken is the discovery by token; without an endpoint to ask it goes nowhere, as with kubeadm.
func (j *JoinConfiguration) byToken(o JoinOverrides) *BootstrapTokenDiscovery {
	if o.Endpoint == "" {
		return &BootstrapTokenDiscovery{}
	}
	if j.Discovery.BootstrapToken == nil {
		j.Discovery.BootstrapToken = &BootstrapTokenDiscovery{}
	}
	return j.Discovery.BootstrapToken
}

// AddFlags adds the flags of join to fs. LoadJoin then knows by fs which of them were given.
func (o *JoinOverrides) AddFlags(fs *pflag.FlagSet) {
	o.flags = fs
	joinFlags().addTo(fs, o)
}

func (o JoinOverrides) apply(c *Config, from origins) {
	if o.Endpoint != "" && o.ConfigFile == "" {
		c.Join.byToken(o).APIServerEndpoint = o.Endpoint
		from["discovery.bootstrapToken.apiServerEndpoint"] = origin{source: "endpoint"}
	}
	joinFlags().apply(o, o.flags, c, from)
}

func (o JoinOverrides) check(source string) []Complaint { return joinFlags().check(o.flags, source) }

// cautions are warnings about what was given and has no effect.
func (o JoinOverrides) cautions() []Complaint {
	var warnings []Complaint
	if o.Endpoint != "" && o.ConfigFile != "" {
		warnings = append(warnings, Complaint{Source: "endpoint", Problem: "is ignored together with --config"}.
			hint("write discovery.bootstrapToken.apiServerEndpoint into %s", o.ConfigFile))
	}
	for _, f := range joinFlags() {
		ofMaster := strings.HasPrefix(f.field, "controlPlane.") && !reflect.ValueOf(f.at(&o)).Elem().IsZero()
		if ofMaster && !o.ControlPlane {
			warnings = append(warnings, Complaint{Source: "--" + f.name, Problem: "is ignored without --control-plane"})
		}
	}
	return warnings
}
