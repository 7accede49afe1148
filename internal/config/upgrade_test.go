package config_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"tripod.dev/tripod/internal/config"
)

const upgradeKind = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: UpgradeConfiguration\n"

// loadUpgrade is LoadUpgrade by a command line and a document; "" is none.
func loadUpgrade(t *testing.T, verb, document string, args ...string) (config.Config, []string, error) {
	t.Helper()
	o := config.UpgradeOverrides{Verb: verb}
	fs := pflag.NewFlagSet(verb, pflag.ContinueOnError)
	o.AddFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	source := ""
	if document != "" {
		source = "u.yaml"
	}
	return config.LoadUpgrade([]byte(document), source, o, machine())
}

// kubeadm's flags of each verb, but for --output, which is the caller's.
func TestUpgradeFlags(t *testing.T) {
	t.Parallel()
	for verb, want := range map[string]string{
		"apply": "allow-experimental-upgrades allow-release-candidate-upgrades certificate-renewal config dry-run etcd-upgrade force/f ignore-preflight-errors kubeconfig patches print-config skip-phases yes/y",
		"node":  "certificate-renewal config dry-run etcd-upgrade ignore-preflight-errors kubeconfig patches skip-phases",
		"plan":  "allow-experimental-upgrades allow-release-candidate-upgrades config etcd-upgrade ignore-preflight-errors kubeconfig print-config",
		"diff":  "config context-lines/c kubeconfig",
		// Of kubeadm certs; renew changes what runs, so that it can be tried.
		"check-expiration": "cert-dir config kubeconfig",
		"renew":            "cert-dir config dry-run kubeconfig",
		// These are not kubeadm's.
		"configure": "dry-run file/f ignore-preflight-errors kubeconfig patches skip-phases yes/y",
		"rollback":  "dry-run ignore-preflight-errors kubeconfig yes/y",
	} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			o := config.UpgradeOverrides{Verb: verb}
			fs := pflag.NewFlagSet(verb, pflag.ContinueOnError)
			o.AddFlags(fs)
			var got []string
			fs.VisitAll(func(f *pflag.Flag) { got = append(got, strings.TrimSuffix(f.Name+"/"+f.Shorthand, "/")) })
			equal(t, want, strings.Join(got, " "))
		})
	}
}

func TestUpgradeDefaultsOfVerbs(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"apply", "node", "plan", "diff", "configure", "renew", "check-expiration", "rollback"} {
		c, warnings, err := loadUpgrade(t, verb, "")
		equal(t, "", message(err))
		equal(t, []string(nil), warnings)
		equal(t, config.Upgrade{CertificateRenewal: true, EtcdUpgrade: true, ContextLines: 3}, c.Upgrade)
		equal(t, config.NodeRegistration{Name: "master-1", CRISocket: "unix:///var/run/containerd/containerd.sock", ImagePullPolicy: "IfNotPresent", ImagePullSerial: new(true)},
			c.Node.Registration)
		equal(t, config.PathsUnder("/"), c.Paths)
		equal(t, []time.Duration{4 * time.Minute, 5 * time.Minute}, []time.Duration{c.Health, c.UpgradeManifests})
	}
	// Without a command line, as a sandbox has it.
	c, _, err := config.LoadUpgrade(nil, "", config.UpgradeOverrides{Verb: "apply", Root: "/r"}, machine())
	equal(t, "", message(err))
	equal(t, config.Upgrade{CertificateRenewal: true, EtcdUpgrade: true, ContextLines: 3}, c.Upgrade)
	equal(t, config.PathsUnder("/r"), c.Paths)
}

const everyPart = upgradeKind + `
apply: {kubernetesVersion: v1.36.3, allowExperimentalUpgrades: true, allowRCUpgrades: true, certificateRenewal: false, dryRun: true, etcdUpgrade: false,
  forceUpgrade: true, ignorePreflightErrors: [A], patches: {directory: /a}, printConfig: true, skipPhases: [preflight], imagePullPolicy: Never, imagePullSerial: false}
node: {certificateRenewal: false, dryRun: true, etcdUpgrade: false, ignorePreflightErrors: [N], patches: {directory: /n}, skipPhases: [addon], imagePullPolicy: Always, imagePullSerial: false}
plan: {kubernetesVersion: v1.35.4, allowExperimentalUpgrades: true, allowRCUpgrades: true, etcdUpgrade: false, ignorePreflightErrors: [P], printConfig: true}
diff: {kubernetesVersion: v1.34.4, contextLines: 7}
timeouts: {upgradeManifests: 1m, controlPlaneComponentHealthCheck: 2m}
`

// Each verb reads its own part of the document, and all read the timeouts.
func TestUpgradeParts(t *testing.T) {
	t.Parallel()
	for verb, test := range map[string]struct {
		upgrade      config.Upgrade
		skip, ignore []string
		patches      string
		dry          bool
		pull         string
	}{
		"apply": {config.Upgrade{KubernetesVersion: "v1.36.3", Force: true, AllowExperimental: true, AllowRC: true, PrintConfig: true, ContextLines: 3},
			[]string{"preflight", "control-plane/etcd"}, []string{"a"}, "/a", true, "Never"},
		"node": {config.Upgrade{ContextLines: 3}, []string{"addon", "control-plane/etcd"}, []string{"n"}, "/n", true, "Always"},
		"plan": {config.Upgrade{KubernetesVersion: "v1.35.4", CertificateRenewal: true, AllowExperimental: true, AllowRC: true, PrintConfig: true, ContextLines: 3},
			[]string{"control-plane/etcd"}, []string{"p"}, "", false, "IfNotPresent"},
		"diff":  {config.Upgrade{KubernetesVersion: "v1.34.4", CertificateRenewal: true, EtcdUpgrade: true, ContextLines: 7}, nil, nil, "", false, "IfNotPresent"},
		"renew": {config.Upgrade{CertificateRenewal: true, EtcdUpgrade: true, ContextLines: 3}, nil, nil, "", false, "IfNotPresent"},
	} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			c, warnings, err := loadUpgrade(t, verb, everyPart)
			equal(t, "", message(err))
			equal(t, []string(nil), warnings)
			equal(t, test.upgrade, c.Upgrade)
			patches := ""
			if c.Node.Patches != nil {
				patches = c.Node.Patches.Directory
			}
			equal(t, []any{test.skip, test.ignore, test.patches, test.dry, test.pull},
				[]any{c.Node.SkipPhases, c.Node.Registration.IgnorePreflightErrors, patches, c.Node.DryRun, c.Node.Registration.ImagePullPolicy})
			equal(t, []time.Duration{2 * time.Minute, time.Minute}, []time.Duration{c.Health, c.UpgradeManifests})
		})
	}
}

func TestUpgradeFlagsOverDocument(t *testing.T) {
	t.Parallel()
	c, _, err := loadUpgrade(t, "apply", "", "--allow-experimental-upgrades", "--allow-release-candidate-upgrades", "--certificate-renewal=false", "--dry-run", "--etcd-upgrade=false",
		"-f", "--ignore-preflight-errors=Swap,CRI,swap", "--kubeconfig=/k", "--patches=p", "--print-config", "--skip-phases=preflight", "-y")
	equal(t, "", message(err))
	equal(t, config.Upgrade{Force: true, Yes: true, AllowExperimental: true, AllowRC: true, PrintConfig: true, ContextLines: 3, Kubeconfig: "/k"}, c.Upgrade)
	equal(t, config.Patches{Directory: "p"}, *c.Node.Patches)
	equal(t, []string{"cri", "swap"}, c.Node.Registration.IgnorePreflightErrors)
	equal(t, []string{"preflight", "control-plane/etcd"}, c.Node.SkipPhases)
	equal(t, true, c.Node.DryRun)

	// What may be given together with a file wins, or adds.
	c, _, err = loadUpgrade(t, "node", everyPart, "--dry-run=false", "--ignore-preflight-errors=Swap", "--skip-phases=preflight")
	equal(t, "", message(err))
	equal(t, []string{"n", "swap"}, c.Node.Registration.IgnorePreflightErrors)
	equal(t, []string{"preflight", "control-plane/etcd"}, c.Node.SkipPhases)
	equal(t, false, c.Node.DryRun)

	c, _, err = loadUpgrade(t, "diff", "", "-c", "0")
	equal(t, "", message(err))
	equal(t, 0, c.Upgrade.ContextLines)
	c, _, err = loadUpgrade(t, "renew", "", "--cert-dir=/pki")
	equal(t, "", message(err))
	equal(t, "/pki", c.Paths.PKI)
	c, _, err = loadUpgrade(t, "configure", "", "-f", "c.yaml", "--patches=p", "-y")
	equal(t, "", message(err))
	equal(t, []any{true, "p"}, []any{c.Upgrade.Yes, c.Node.Patches.Directory})
}

func TestBadUpgrade(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		verb, file string
		args       []string
		want       []string
	}{
		"no document": {"node", clusterKind, nil, []string{"u.yaml: there is no UpgradeConfiguration"}},
		"old":         {"node", strings.Replace(upgradeKind, "v1beta4", "v1beta3", 1), nil, []string{`u.yaml: document 1, line 1: apiVersion: "kubeadm.k8s.io/v1beta3" is not read`}},
		"mixed": {"node", upgradeKind, []string{"--patches=p", "--certificate-renewal=true", "--etcd-upgrade"}, []string{
			"--certificate-renewal: can not be given together with --config", "--etcd-upgrade: can not be given together with --config", "--patches: can not be given together with --config"}},
		"all parts": {"apply", upgradeKind + "apply:\n  kubernetesVersion: v1.33.0\n  imagePullPolicy: Sometimes\nnode:\n  patches: {directory: p}\n  ignorePreflightErrors: [all, Swap]\n" +
			"plan:\n  kubernetesVersion: newest\n  applied: 1\ndiff:\n  contextLines: -1\ntimeouts:\n  upgradeManifests: 0s\n", nil, []string{
			"u.yaml: document 1, line 4: apply.kubernetesVersion: v1.33.0 is not supported",
			`u.yaml: document 1, line 5: apply.imagePullPolicy: "Sometimes" is not known`,
			`u.yaml: document 1, line 7: node.patches.directory: "p" is not an absolute path`,
			`u.yaml: document 1, line 8: node.ignorePreflightErrors: "all" leaves nothing for others to name`,
			`u.yaml: document 1, line 10: plan.kubernetesVersion: "newest" is not a version such as v1.36.3`,
			"u.yaml: document 1, line 11: plan.applied: unknown field",
			"u.yaml: document 1, line 13: diff.contextLines: -1 is less than 0",
			"u.yaml: document 1, line 15: timeouts.upgradeManifests: 0s is not more than 0"}},
		"flags": {"node", "", []string{"--ignore-preflight-errors=All,Swap", "--skip-phases= "}, []string{
			`--skip-phases: node.skipPhases[0]: must not be empty`,
			`--ignore-preflight-errors: node.ignorePreflightErrors: "all" leaves nothing for others to name`}},
		"flags of renew":    {"renew", "", []string{"--cert-dir=pki"}, []string{`--cert-dir: certificatesDir: "pki" is not an absolute path`}},
		"flags of rollback": {"rollback", "", []string{"--ignore-preflight-errors=all,Swap"}, []string{`--ignore-preflight-errors: ignorePreflightErrors: "all" leaves nothing for others to name`}},
		"flags of diff":     {"diff", "", []string{"-c", "-2"}, []string{"--context-lines: diff.contextLines: -2 is less than 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := loadUpgrade(t, test.verb, test.file, test.args...)
			equal(t, test.want, problems(err))
		})
	}
}

// problems are the lines of an error, but for hints.
func problems(err error) []string {
	var got []string
	for line := range strings.Lines(message(err)) {
		if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, "  hint: ") {
			got = append(got, line)
		}
	}
	return got
}

// Whoever writes how the cluster is to be into the file of an upgrade learns that it does nothing there.
func TestUpgradeWarnings(t *testing.T) {
	t.Parallel()
	const hint = "\n  hint: tripod apply --file u.yaml changes the configuration of a cluster"
	_, warnings, err := loadUpgrade(t, "node", upgradeKind+"---\n"+clusterKind+kubelet+"---\n"+initKind+"---\n"+resetKind)
	equal(t, "", message(err))
	equal(t, []string{"u.yaml: document 2: kind: ClusterConfiguration is not read here" + hint, "u.yaml: document 3: kind: KubeletConfiguration is not read here" + hint}, warnings)
	// kubeadm certs renew takes such a file.
	_, warnings, err = loadUpgrade(t, "renew", clusterKind)
	equal(t, "", message(err))
	equal(t, []string{"u.yaml: document 1: kind: ClusterConfiguration is not read here" + hint}, warnings)
}

func TestValidateUpgrade(t *testing.T) {
	t.Parallel()
	equal(t, []string{"u.yaml: document 1, line 3: apply.skipPhases[0]: must not be empty", "u.yaml: document 1, line 4: timeouts.discovery: -1s is not more than 0"},
		problems(validate([]byte(upgradeKind+"apply: {skipPhases: [\"\"]}\ntimeouts: {discovery: -1s}\n"), "u.yaml")))
	equal(t, []string(nil), problems(validate([]byte(everyPart), "u.yaml")))
}

// here is a master of a living cluster.
func here() config.Here {
	return config.Here{NodeName: "m1", CRISocket: "unix:///crio", Advertise: netip.MustParseAddrPort("10.0.0.1:7443")}
}

// livingMaster is one of a cluster with that ClusterConfiguration.
func livingMaster(t *testing.T, document string) config.Config {
	t.Helper()
	c, _, err := loadUpgrade(t, "configure", "")
	if err == nil {
		c, err = c.OfLiving([]byte(document), []byte("kind: KubeletConfiguration\nclusterDomain: a.b\n"), here())
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}
