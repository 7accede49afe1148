package config

import (
	"cmp"
	"slices"
)

// Upgrade is what the document and the flags say to the verb that changes a living machine.
type Upgrade struct {
	// KubernetesVersion is the version to upgrade to, or a label; "" where nobody names one.
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

// defaultContext is how many lines kubeadm shows around a change.
const defaultContext = 3

// choose takes what the document says to the verb.
func (c *Config) choose(verb string) {
	p := c.UpgradeDocument.part(verb)
	c.Upgrade = Upgrade{
		KubernetesVersion:  p.KubernetesVersion,
		CertificateRenewal: orTrue(p.CertificateRenewal),
		EtcdUpgrade:        orTrue(p.EtcdUpgrade),
		Force:              is(p.ForceUpgrade),
		AllowExperimental:  is(p.AllowExperimentalUpgrades),
		AllowRC:            is(p.AllowRCUpgrades),
		PrintConfig:        is(p.PrintConfig),
		ContextLines:       cmp.Or(p.contextLines, defaultContext),
	}
	c.Node = Node{
		SkipPhases: p.SkipPhases, Patches: p.Patches, DryRun: is(p.DryRun), Timeouts: c.UpgradeDocument.Timeouts,
		Registration: NodeRegistration{
			IgnorePreflightErrors: p.IgnorePreflightErrors, ImagePullPolicy: p.ImagePullPolicy, ImagePullSerial: p.ImagePullSerial,
		},
	}
}

func is(b *bool) bool { return b != nil && *b }

func orTrue(b *bool) bool { return b == nil || *b }

// settle makes the Config of a living machine, as far as it goes without the cluster.
func (o UpgradeOverrides) settle(c *Config, m Machine) []Complaint {
	c.Paths = PathsUnder(cmp.Or(o.Root, "/"))
	c.Paths.PKI, c.Paths.EtcdData = cmp.Or(c.Upgrade.CertDir, m.PKI, c.Paths.PKI), cmp.Or(m.EtcdData, c.Paths.EtcdData)
	c.Node.Timeouts = c.Node.Timeouts.withDefaults()
	// Whatever it is here, it has its taints already.
	c.Node.Registration.setDefaults(m, false)
	complaints := slices.Concat(
		c.checkUpgrade(o.Verb),
		absolute("certificatesDir", c.Paths.PKI),
		c.deriveTimeouts(*c.Node.Timeouts),
	)
	if !c.Upgrade.EtcdUpgrade {
		c.Node.SkipPhases = append(slices.Clone(c.Node.SkipPhases), "control-plane/etcd")
	}
	return complaints
}

// reading is what the verb reads. The certs verbs have no part in an UpgradeConfiguration, and where kubeadm reads a
// ClusterConfiguration by --config, they go by the cluster's: they need nothing to be there.
func (o UpgradeOverrides) reading() reading {
	what := upgradeReading()
	if !slices.Contains(upgradeParts(), o.Verb) {
		what.absent = ""
	}
	return what
}
