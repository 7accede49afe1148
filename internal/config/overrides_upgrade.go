package config

import (
	"slices"

	"github.com/spf13/pflag"
)

// UpgradeOverrides are the flags of the verbs that change a living machine, of which each has some. A field that is not zero,
// or whose flag was given, takes the place of what the document says.
type UpgradeOverrides struct {
	// Verb is apply, node, plan or diff, as of kubeadm upgrade, or one of the others: configure, rollback, and of kubeadm
	// certs, renew and check-expiration.
	Verb string
	// ConfigFile is --config. LoadUpgrade does not read it: the caller does, and hands over the data.
	ConfigFile string
	// Documents is --file of configure: what the cluster is to be. The caller reads it.
	Documents string

	CertificateRenewal, EtcdUpgrade        bool
	AllowExperimental, AllowRC, Force, Yes bool
	DryRun, PrintConfig                    bool
	CertDir, Kubeconfig, Patches           string
	ContextLines                           int
	IgnorePreflightErrors, SkipPhases      []string

	// Root is what default paths lie below; empty is "/". Not a flag.
	Root string

	flags *pflag.FlagSet
}

// upgradeFlag is a flag, and the verbs that have it.
type upgradeFlag struct {
	flag[UpgradeOverrides]
	verbs []string
}

// upgradeFlags are the flags of a verb. The fields that they stand for lie in the verb's part of the document.
func upgradeFlags(verb string) flags[UpgradeOverrides] {
	var all flags[UpgradeOverrides]
	for _, f := range everyUpgradeFlag() {
		if slices.Contains(f.verbs, verb) {
			if f.field != "" {
				f.field = upgradePart(verb) + f.field
			}
			all = append(all, f.flag)
		}
	}
	return all
}

func everyUpgradeFlag() []upgradeFlag {
	type o = UpgradeOverrides
	changes := []string{"apply", "node", "configure", "rollback", "renew"}
	documented := append(upgradeParts(), "renew", "check-expiration")
	return []upgradeFlag{
		{flag[o]{name: "config", mixes: true, usage: "`file` with an UpgradeConfiguration of kubeadm.k8s.io/v1beta4",
			at: func(o *o) any { return &o.ConfigFile }}, documented},
		{flag[o]{name: "file", short: "f", mixes: true, usage: "`file` with the ClusterConfiguration that the cluster is to have (and a KubeletConfiguration, a KubeProxyConfiguration)",
			at: func(o *o) any { return &o.Documents }}, []string{"configure"}},
		{flag[o]{name: "allow-experimental-upgrades", field: "allowExperimentalUpgrades", usage: "take alpha, beta and candidate versions, too",
			at: func(o *o) any { return &o.AllowExperimental }, apply: func(o o, c *Config) { c.Upgrade.AllowExperimental = o.AllowExperimental }}, []string{"apply", "plan"}},
		{flag[o]{name: "allow-release-candidate-upgrades", field: "allowRCUpgrades", usage: "take release candidates, too",
			at: func(o *o) any { return &o.AllowRC }, apply: func(o o, c *Config) { c.Upgrade.AllowRC = o.AllowRC }}, []string{"apply", "plan"}},
		{flag[o]{name: "cert-dir", field: "certificatesDir", mixes: true, usage: "`directory` of the certificates (default: what the manifests say)",
			at: func(o *o) any { return &o.CertDir }, apply: func(o o, c *Config) { c.Upgrade.CertDir = o.CertDir }}, []string{"renew", "check-expiration"}},
		{flag[o]{name: "certificate-renewal", preset: true, field: "certificateRenewal", usage: "renew the certificates of what is upgraded",
			at: func(o *o) any { return &o.CertificateRenewal }, apply: func(o o, c *Config) { c.Upgrade.CertificateRenewal = o.CertificateRenewal }}, []string{"apply", "node"}},
		{flag[o]{name: "context-lines", short: "c", preset: true, field: "contextLines", usage: "`number` of unchanged lines around a change",
			at: func(o *o) any { return &o.ContextLines }, apply: func(o o, c *Config) { c.Upgrade.ContextLines = o.ContextLines }}, []string{"diff"}},
		{flag[o]{name: "dry-run", field: "dryRun", mixes: true, usage: "show what would be done, do nothing",
			at: func(o *o) any { return &o.DryRun }, apply: func(o o, c *Config) { c.Node.DryRun = o.DryRun }}, changes},
		{flag[o]{name: "etcd-upgrade", preset: true, field: "etcdUpgrade", usage: "upgrade etcd, too",
			at: func(o *o) any { return &o.EtcdUpgrade }, apply: func(o o, c *Config) { c.Upgrade.EtcdUpgrade = o.EtcdUpgrade }}, []string{"apply", "node", "plan"}},
		{flag[o]{name: "force", short: "f", field: "forceUpgrade", mixes: true, usage: "take what the policy of versions refuses, as far as that can be, and ask nothing",
			at: func(o *o) any { return &o.Force }, apply: func(o o, c *Config) { c.Upgrade.Force = o.Force }}, []string{"apply"}},
		{flag[o]{name: "ignore-preflight-errors", field: "ignorePreflightErrors", mixes: true, adds: true, usage: "`checks` whose errors are shown as warnings only, or all",
			at: func(o *o) any { return &o.IgnorePreflightErrors }, apply: func(o o, c *Config) {
				r := &c.Node.Registration
				r.IgnorePreflightErrors = slices.Concat(r.IgnorePreflightErrors, o.IgnorePreflightErrors)
			}}, []string{"apply", "node", "plan", "configure", "rollback"}},
		{flag[o]{name: "kubeconfig", mixes: true, usage: "`file` by which the cluster is asked (default: /etc/kubernetes/admin.conf, at this master's own apiserver)",
			at: func(o *o) any { return &o.Kubeconfig }, apply: func(o o, c *Config) { c.Upgrade.Kubeconfig = o.Kubeconfig }}, append(slices.Clone(documented), "configure", "rollback")},
		{flag[o]{name: "patches", field: "patches.directory", usage: "`directory` of patches for the manifests",
			at: func(o *o) any { return &o.Patches }, apply: func(o o, c *Config) { c.Node.Patches = &Patches{Directory: o.Patches} }}, []string{"apply", "node", "configure"}},
		{flag[o]{name: "print-config", field: "printConfig", usage: "print the configuration of the cluster that is planned by",
			at: func(o *o) any { return &o.PrintConfig }, apply: func(o o, c *Config) { c.Upgrade.PrintConfig = o.PrintConfig }}, []string{"apply", "plan"}},
		{flag[o]{name: "skip-phases", field: "skipPhases", mixes: true, usage: "`phases` to leave out",
			at: func(o *o) any { return &o.SkipPhases }, apply: func(o o, c *Config) {
				if len(o.SkipPhases) > 0 {
					c.Node.SkipPhases = o.SkipPhases
				}
			}}, []string{"apply", "node", "configure"}},
		{flag[o]{name: "yes", short: "y", mixes: true, usage: "do not ask whether to go on",
			at: func(o *o) any { return &o.Yes }, apply: func(o o, c *Config) { c.Upgrade.Yes = o.Yes }}, []string{"apply", "configure", "rollback"}},
	}
}

// AddFlags adds the flags of the verb to fs. LoadUpgrade then knows by fs which of them were given.
func (o *UpgradeOverrides) AddFlags(fs *pflag.FlagSet) {
	o.flags = fs
	o.CertificateRenewal, o.EtcdUpgrade, o.ContextLines = true, true, 3
	upgradeFlags(o.Verb).addTo(fs, o)
}

// apply chooses what the document says to the verb, and puts the flags over it.
func (o UpgradeOverrides) apply(c *Config, from origins) {
	c.choose(o.Verb)
	upgradeFlags(o.Verb).apply(o, o.flags, c, from)
}

func (o UpgradeOverrides) check(source string) []Complaint {
	return upgradeFlags(o.Verb).check(o.flags, source)
}

// cautions are none.
func (UpgradeOverrides) cautions() []Complaint { return nil }
