package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"tripod.dev/tripod/internal/config"
)

// loadReset is LoadReset by a command line and a document.
func loadReset(t *testing.T, document string, m config.Machine, args ...string) (config.Config, error) {
	t.Helper()
	var o config.ResetOverrides
	fs := pflag.NewFlagSet("reset", pflag.ContinueOnError)
	o.AddFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	source := ""
	if document != "" {
		source = "a.yaml"
	}
	c, _, err := config.LoadReset([]byte(document), source, o, m)
	return c, err
}

func TestLoadReset(t *testing.T) {
	t.Parallel()
	one := config.Machine{Hostname: "m1", CRISockets: []string{"unix:///run/a.sock"}}
	c, err := loadReset(t, "", one)
	if err != nil {
		t.Fatal(err)
	}
	if c.Paths != config.PathsUnder("/") || c.Node.Registration.Name != "m1" || c.Node.Registration.CRISocket != "unix:///run/a.sock" || c.Reset.CRISocket != "" || c.Reset.Force {
		t.Errorf("%+v", c)
	}
	if c, err = loadReset(t, "", config.Machine{CRISockets: []string{"unix:///a", "unix:///b"}}); err != nil || c.Node.Registration.CRISocket != "" {
		t.Errorf("several runtimes: %q, %v", c.Node.Registration.CRISocket, err)
	}
	c, err = loadReset(t, resetKind+"criSocket: /run/b.sock\ncertificatesDir: /pki\nskipPhases: [preflight]\nignorePreflightErrors: [CRI]\nunmountFlags: [MNT_DETACH, MNT_FORCE]\ncleanupTmpDir: true\n",
		one, "-f", "--skip-phases=remove-etcd-member", "--ignore-preflight-errors=Other", "--dry-run")
	if err != nil {
		t.Fatal(err)
	}
	got := []any{c.Paths.PKI, c.Node.Registration.CRISocket, c.Node.SkipPhases, c.Node.Registration.IgnorePreflightErrors, c.Reset.UnmountFlags, c.Reset.Force, c.Reset.CleanupTmpDir, c.Node.DryRun}
	want := []any{"/pki", "unix:///run/b.sock", []string{"remove-etcd-member"}, []string{"cri", "other"}, []string{"MNT_DETACH", "MNT_FORCE"}, true, true, true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestLoadResetComplains(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		document string
		args     []string
		want     string
	}{
		"relative":        {"", []string{"--cert-dir=pki"}, `--cert-dir: certificatesDir: "pki" is not an absolute path`},
		"no socket":       {resetKind + "criSocket: tcp://x\n", nil, `line 3: criSocket: "tcp://x" is not of the form unix:///path`},
		"flag of umount":  {resetKind + "unmountFlags: [MNT_DETACH, MNT_NOW]\n", nil, `unmountFlags[1]: "MNT_NOW" is not known`},
		"expire":          {resetKind + "unmountFlags: [MNT_EXPIRE, MNT_FORCE]\n", nil, "MNT_EXPIRE does not go together with MNT_FORCE or MNT_DETACH"},
		"mixed":           {resetKind, []string{"--cert-dir=/pki"}, "--cert-dir: can not be given together with --config\n  hint: write certificatesDir into a.yaml"},
		"of another verb": {clusterKind, nil, "there is no ResetConfiguration\n  hint: tripod config print reset-defaults"},
		"ignored":         {resetKind + "ignorePreflightErrors: [all, CRI]\n", nil, `ignorePreflightErrors: "all" leaves nothing for others to name`},
	} {
		_, err := loadReset(t, tt.document, config.Machine{Hostname: "m1"}, tt.args...)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}
