package config

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ResetConfiguration says what is taken away from a machine.
type ResetConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	CleanupTmpDir         bool      `json:"cleanupTmpDir,omitempty"`
	CertificatesDir       string    `json:"certificatesDir,omitempty"`
	CRISocket             string    `json:"criSocket,omitempty"`
	DryRun                bool      `json:"dryRun,omitempty"`
	Force                 bool      `json:"force,omitempty"`
	IgnorePreflightErrors []string  `json:"ignorePreflightErrors,omitempty"`
	SkipPhases            []string  `json:"skipPhases,omitempty"`
	UnmountFlags          []string  `json:"unmountFlags,omitempty"`
	Timeouts              *Timeouts `json:"timeouts,omitempty"`
}

// UpgradeConfiguration is what the verbs of upgrade read.
type UpgradeConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	Apply    UpgradeApply `json:"apply,omitempty"`
	Diff     UpgradeDiff  `json:"diff,omitempty"`
	Node     UpgradeNode  `json:"node,omitempty"`
	Plan     UpgradePlan  `json:"plan,omitempty"`
	Timeouts *Timeouts    `json:"timeouts,omitempty"`
}

// UpgradeApply is for the first master of an upgrade. Nil stands for the default.
type UpgradeApply struct {
	KubernetesVersion         string   `json:"kubernetesVersion,omitempty"`
	AllowExperimentalUpgrades *bool    `json:"allowExperimentalUpgrades,omitempty"`
	AllowRCUpgrades           *bool    `json:"allowRCUpgrades,omitempty"`
	CertificateRenewal        *bool    `json:"certificateRenewal,omitempty"`
	DryRun                    *bool    `json:"dryRun,omitempty"`
	EtcdUpgrade               *bool    `json:"etcdUpgrade,omitempty"`
	ForceUpgrade              *bool    `json:"forceUpgrade,omitempty"`
	IgnorePreflightErrors     []string `json:"ignorePreflightErrors,omitempty"`
	Patches                   *Patches `json:"patches,omitempty"`
	PrintConfig               *bool    `json:"printConfig,omitempty"`
	SkipPhases                []string `json:"skipPhases,omitempty"`
	ImagePullPolicy           string   `json:"imagePullPolicy,omitempty"`
	ImagePullSerial           *bool    `json:"imagePullSerial,omitempty"`
}

// UpgradeDiff is for showing what an upgrade would change.
type UpgradeDiff struct {
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	ContextLines      int    `json:"contextLines,omitempty"`
}

// UpgradeNode is for all other machines of an upgrade.
type UpgradeNode struct {
	CertificateRenewal    *bool    `json:"certificateRenewal,omitempty"`
	DryRun                *bool    `json:"dryRun,omitempty"`
	EtcdUpgrade           *bool    `json:"etcdUpgrade,omitempty"`
	IgnorePreflightErrors []string `json:"ignorePreflightErrors,omitempty"`
	SkipPhases            []string `json:"skipPhases,omitempty"`
	Patches               *Patches `json:"patches,omitempty"`
	ImagePullPolicy       string   `json:"imagePullPolicy,omitempty"`
	ImagePullSerial       *bool    `json:"imagePullSerial,omitempty"`
}

// UpgradePlan is for asking what could be upgraded to.
type UpgradePlan struct {
	KubernetesVersion         string   `json:"kubernetesVersion,omitempty"`
	AllowExperimentalUpgrades *bool    `json:"allowExperimentalUpgrades,omitempty"`
	AllowRCUpgrades           *bool    `json:"allowRCUpgrades,omitempty"`
	DryRun                    *bool    `json:"dryRun,omitempty"`
	EtcdUpgrade               *bool    `json:"etcdUpgrade,omitempty"`
	IgnorePreflightErrors     []string `json:"ignorePreflightErrors,omitempty"`
	PrintConfig               *bool    `json:"printConfig,omitempty"`
}
