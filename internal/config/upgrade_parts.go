package config

import "slices"

// upgradeParts are the verbs for which an UpgradeConfiguration has a part.
func upgradeParts() []string { return []string{"apply", "node", "plan", "diff"} }

// upgradePart is the path of the verb's part with its dot; "" for a verb that has none.
func upgradePart(verb string) string {
	if slices.Contains(upgradeParts(), verb) {
		return verb + "."
	}
	return ""
}

// part is what a document says to one verb. The fields of apply are those of all verbs but for one.
type part struct {
	UpgradeApply
	contextLines int
}

// part is zero for a verb that has none.
func (u UpgradeConfiguration) part(verb string) part {
	switch verb {
	case "apply":
		return part{UpgradeApply: u.Apply}
	case "node":
		n := u.Node
		return part{UpgradeApply: UpgradeApply{
			CertificateRenewal: n.CertificateRenewal, DryRun: n.DryRun, EtcdUpgrade: n.EtcdUpgrade, IgnorePreflightErrors: n.IgnorePreflightErrors,
			SkipPhases: n.SkipPhases, Patches: n.Patches, ImagePullPolicy: n.ImagePullPolicy, ImagePullSerial: n.ImagePullSerial,
		}}
	case "plan":
		p := u.Plan
		return part{UpgradeApply: UpgradeApply{
			KubernetesVersion: p.KubernetesVersion, AllowExperimentalUpgrades: p.AllowExperimentalUpgrades, AllowRCUpgrades: p.AllowRCUpgrades,
			DryRun: p.DryRun, EtcdUpgrade: p.EtcdUpgrade, IgnorePreflightErrors: p.IgnorePreflightErrors, PrintConfig: p.PrintConfig,
		}}
	case "diff":
		return part{UpgradeApply: UpgradeApply{KubernetesVersion: u.Diff.KubernetesVersion}, contextLines: u.Diff.ContextLines}
	}
	return part{}
}

// checkUpgrade checks all parts of the document, that of the chosen verb with its flags.
func (c *Config) checkUpgrade(chosen string) []Complaint {
	var complaints []Complaint
	verbs := upgradeParts()
	if !slices.Contains(verbs, chosen) {
		verbs = append(verbs, chosen)
	}
	for _, verb := range verbs {
		p := c.UpgradeDocument.part(verb)
		if verb == chosen {
			p.IgnorePreflightErrors, p.SkipPhases, p.contextLines = c.Node.Registration.IgnorePreflightErrors, c.Node.SkipPhases, c.Upgrade.ContextLines
		}
		for _, complaint := range p.validate() {
			complaint.Field = upgradePart(verb) + complaint.Field
			complaints = append(complaints, complaint)
		}
	}
	return complaints
}

// validate knows the fields by their names in the part.
func (p part) validate() []Complaint {
	complaints := slices.Concat(checkPhases(p.SkipPhases), checkIgnored("ignorePreflightErrors", lower(p.IgnorePreflightErrors)))
	if p.KubernetesVersion != "" {
		_, unknown := kubernetesVersion(p.KubernetesVersion)
		complaints = append(complaints, unknown...)
	}
	if p.ImagePullPolicy != "" {
		complaints = append(complaints, oneOf("imagePullPolicy", p.ImagePullPolicy, "Always", "IfNotPresent", "Never")...)
	}
	if p.Patches != nil {
		complaints = append(complaints, absolute("patches.directory", p.Patches.Directory)...)
	}
	if p.contextLines < 0 {
		complaints = append(complaints, wrong("contextLines", "%d is less than 0", p.contextLines))
	}
	return complaints
}
