package config

import (
	"slices"

	"github.com/spf13/pflag"
)

// ResetOverrides are the flags of kubeadm reset. A field that is not zero, or whose flag was given, takes the place of
// what the document says.
type ResetOverrides struct {
	// ConfigFile is --config. LoadReset does not read it: the caller does, and hands over the data.
	ConfigFile string

	CertDir               string
	CleanupTmpDir         bool
	CRISocket             string
	DryRun                bool
	Force                 bool
	IgnorePreflightErrors []string
	// Kubeconfig is a file by which the cluster is asked for what concerns this machine; the caller reads it.
	Kubeconfig string
	SkipPhases []string

	// Root is what default paths lie below; empty is "/". Not a flag of reset.
	Root string

	flags *pflag.FlagSet
}

// resetFlags are all flags of reset.
func resetFlags() flags[ResetOverrides] {
	return flags[ResetOverrides]{
		{name: "config", mixes: true, usage: "`file` with a ResetConfiguration of kubeadm.k8s.io/v1beta4",
			at: func(o *ResetOverrides) any { return &o.ConfigFile }},
		{name: "cert-dir", field: "certificatesDir", usage: "`directory` of the certificates, which is cleared (default: what the manifests say, or /etc/kubernetes/pki)",
			at:    func(o *ResetOverrides) any { return &o.CertDir },
			apply: func(o ResetOverrides, c *Config) { c.Reset.CertificatesDir = o.CertDir }},
		{name: "cleanup-tmp-dir", field: "cleanupTmpDir", usage: "clear /etc/kubernetes/tmp, too",
			at:    func(o *ResetOverrides) any { return &o.CleanupTmpDir },
			apply: func(o ResetOverrides, c *Config) { c.Reset.CleanupTmpDir = o.CleanupTmpDir }},
		{name: "cri-socket", field: "criSocket", usage: "`socket` of the container runtime, unix:///... (default: the kubelet's, or the one that is there)",
			at:    func(o *ResetOverrides) any { return &o.CRISocket },
			apply: func(o ResetOverrides, c *Config) { c.Reset.CRISocket = o.CRISocket }},
		{name: "dry-run", field: "dryRun", mixes: true, usage: "show what would be done, do nothing",
			at:    func(o *ResetOverrides) any { return &o.DryRun },
			apply: func(o ResetOverrides, c *Config) { c.Reset.DryRun = o.DryRun }},
		{name: "force", short: "f", field: "force", mixes: true, usage: "do not ask whether to go on",
			at:    func(o *ResetOverrides) any { return &o.Force },
			apply: func(o ResetOverrides, c *Config) { c.Reset.Force = o.Force }},
		{name: "ignore-preflight-errors", field: "ignorePreflightErrors", mixes: true, adds: true, usage: "`checks` whose errors are shown as warnings only, or all",
			at: func(o *ResetOverrides) any { return &o.IgnorePreflightErrors },
			apply: func(o ResetOverrides, c *Config) {
				c.Reset.IgnorePreflightErrors = slices.Concat(c.Reset.IgnorePreflightErrors, o.IgnorePreflightErrors)
			}},
		{name: "kubeconfig", mixes: true, usage: "`file` by which the cluster is asked for its masters and for this node (default: /etc/kubernetes/admin.conf, or the kubelet's)",
			at: func(o *ResetOverrides) any { return &o.Kubeconfig }},
		{name: "skip-phases", field: "skipPhases", mixes: true, usage: "`phases` to leave out",
			at: func(o *ResetOverrides) any { return &o.SkipPhases },
			apply: func(o ResetOverrides, c *Config) {
				if len(o.SkipPhases) > 0 {
					c.Reset.SkipPhases = o.SkipPhases
				}
			}},
	}
}

// AddFlags adds the flags of reset to fs. LoadReset then knows by fs which of them were given.
func (o *ResetOverrides) AddFlags(fs *pflag.FlagSet) {
	o.flags = fs
	resetFlags().addTo(fs, o)
}

func (o ResetOverrides) apply(c *Config, from origins) { resetFlags().apply(o, o.flags, c, from) }

func (o ResetOverrides) check(source string) []Complaint { return resetFlags().check(o.flags, source) }

// cautions are none.
func (ResetOverrides) cautions() []Complaint { return nil }
