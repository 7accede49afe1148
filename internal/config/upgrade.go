package config

import (
	"cmp"
	"slices"
)

// Upgrade is what the document and the flags say to the verb that changes a living machine.
type Upgrade struct {
	// KubernetesVersion is the version to upgrade to; "" where nobody names one.
	KubernetesVersion string
	// CertificateRenewal renews leaf certificates along with the version.
	CertificateRenewal bool
	// EtcdUpgrade is false where etcd is to stay as it is.
	EtcdUpgrade bool
	// Force takes what the policy of versions refuses, as far as that can be, and asks nothing.
	Force bool
	// Yes asks nothing.
	Yes bool
	// AllowExperimental and AllowRC let versions be chosen that are no releases.
	AllowExperimental, AllowRC bool
	PrintConfig                bool
	// ContextLines is how many unchanged lines surround a change in a diff.
	ContextLines int
	// Kubeconfig is the file by which the cluster is asked; "" for the administrators' on this machine.
	Kubeconfig string
	// CertDir is where the certificates lie; "" for where the manifests say.
	CertDir string
}

// choose takes what the document says to the verb.
func (c *Config) choose(verb string) {
	d := c.UpgradeDocument
	c.Upgrade = Upgrade{CertificateRenewal: true, EtcdUpgrade: true, ContextLines: 3}
	c.Node.Timeouts = d.Timeouts
	switch verb {
	case "node":
		c.node(d.Node.SkipPhases, d.Node.Patches, d.Node.DryRun, d.Node.IgnorePreflightErrors, d.Node.ImagePullPolicy)
		c.Upgrade.CertificateRenewal, c.Upgrade.EtcdUpgrade = orTrue(d.Node.CertificateRenewal), orTrue(d.Node.EtcdUpgrade)
	case "plan":
		c.node(nil, nil, d.Plan.DryRun, d.Plan.IgnorePreflightErrors, "")
		c.Upgrade.KubernetesVersion, c.Upgrade.EtcdUpgrade = d.Plan.KubernetesVersion, orTrue(d.Plan.EtcdUpgrade)
		c.Upgrade.AllowExperimental, c.Upgrade.AllowRC, c.Upgrade.PrintConfig = is(d.Plan.AllowExperimentalUpgrades), is(d.Plan.AllowRCUpgrades), is(d.Plan.PrintConfig)
	case "diff":
		c.Upgrade.KubernetesVersion, c.Upgrade.ContextLines = d.Diff.KubernetesVersion, cmp.Or(d.Diff.ContextLines, 3)
	case "apply":
		a := d.Apply
		c.node(a.SkipPhases, a.Patches, a.DryRun, a.IgnorePreflightErrors, a.ImagePullPolicy)
		c.Upgrade.KubernetesVersion, c.Upgrade.CertificateRenewal, c.Upgrade.EtcdUpgrade = a.KubernetesVersion, orTrue(a.CertificateRenewal), orTrue(a.EtcdUpgrade)
		c.Upgrade.Force, c.Upgrade.PrintConfig = is(a.ForceUpgrade), is(a.PrintConfig)
		c.Upgrade.AllowExperimental, c.Upgrade.AllowRC = is(a.AllowExperimentalUpgrades), is(a.AllowRCUpgrades)
	}
}

func (c *Config) node(skip []string, patches *Patches, dryRun *bool, ignore []string, pull string) {
	c.Node.SkipPhases, c.Node.Patches, c.Node.DryRun = skip, patches, is(dryRun)
	c.Node.Registration.IgnorePreflightErrors, c.Node.Registration.ImagePullPolicy = ignore, pull
}

func is(b *bool) bool { return b != nil && *b }

func orTrue(b *bool) bool { return b == nil || *b }

// settle makes the Config of a living machine, as far as it goes without the cluster.
func (o UpgradeOverrides) settle(c *Config, m Machine) []Complaint {
	c.Paths = PathsUnder(cmp.Or(o.Root, "/"))
	c.Paths.PKI = cmp.Or(c.Upgrade.CertDir, c.Paths.PKI)
	c.Node.Timeouts = c.Node.Timeouts.withDefaults()
	r := &c.Node.Registration
	r.Name, r.CRISocket = m.Hostname, onlySocket(m.CRISockets)
	ignored := r.IgnorePreflightErrors
	r.IgnorePreflightErrors, r.ImagePullPolicy = lower(ignored), cmp.Or(r.ImagePullPolicy, "IfNotPresent")
	if !c.Upgrade.EtcdUpgrade {
		c.Node.SkipPhases = append(slices.Clone(c.Node.SkipPhases), "control-plane/etcd")
	}
	return slices.Concat(
		o.checkVersion(*c),
		checkPhases(c.Node.SkipPhases),
		checkIgnored("ignorePreflightErrors", ignored),
		oneOf("imagePullPolicy", r.ImagePullPolicy, "Always", "IfNotPresent", "Never"),
		absolute("cert-dir", c.Paths.PKI),
		c.deriveTimeouts(*c.Node.Timeouts),
	)
}

// checkVersion wants a version that tripod knows, or none.
func (o UpgradeOverrides) checkVersion(c Config) []Complaint {
	if c.Upgrade.KubernetesVersion == "" {
		return nil
	}
	_, complaints := kubernetesVersion(c.Upgrade.KubernetesVersion)
	return complaints
}
