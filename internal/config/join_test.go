package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"tripod.dev/tripod/internal/config"
)

const (
	hash  = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	token = "abcdef.0123456789abcdef"
)

// parsedJoin are the overrides of a command line; what is no flag is the endpoint.
func parsedJoin(t *testing.T, args ...string) config.JoinOverrides {
	t.Helper()
	var o config.JoinOverrides
	flags := pflag.NewFlagSet("join", pflag.ContinueOnError)
	o.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	o.Endpoint = flags.Arg(0)
	return o
}

func TestJoinFlags(t *testing.T) {
	t.Parallel()
	o := parsedJoin(t, "10.0.0.1:6443", "--token="+token, "--discovery-token-ca-cert-hash="+hash, "--cri-socket=unix:///crio", "--dry-run",
		"--ignore-preflight-errors=Swap", "--node-name=Other", "--patches=p", "--skip-phases=preflight")
	c, warnings, err := config.LoadJoin(nil, "", o, machine())
	equal(t, "", message(err))
	equal(t, []string(nil), warnings)
	equal(t, config.Discovery{
		BootstrapToken:    &config.BootstrapTokenDiscovery{Token: token, APIServerEndpoint: "10.0.0.1:6443", CACertHashes: []string{hash}},
		TLSBootstrapToken: token,
	}, c.Join.Discovery)
	equal(t, "other", c.Node.Registration.Name)
	equal(t, "unix:///crio", c.Node.Registration.CRISocket)
	equal(t, []config.Taint(nil), c.Node.Registration.Taints)
	equal(t, []string{"swap"}, c.Node.Registration.IgnorePreflightErrors)
	equal(t, []string{"preflight"}, c.Node.SkipPhases)
	equal(t, "p", c.Node.Patches.Directory)
	equal(t, true, c.Node.DryRun)
	equal(t, "/etc/kubernetes/pki/ca.crt", c.Join.CACertPath)
	equal(t, []time.Duration{5 * time.Minute, 5 * time.Minute}, []time.Duration{c.DiscoveryTimeout, c.TLSBootstrap})
	equal(t, false, c.Advertise.IsValid())
	equal(t, "127.0.0.1", c.Loopback.String())
}

func TestJoinTokens(t *testing.T) {
	t.Parallel()
	const other = "bbbbbb.0123456789abcdef"
	for name, test := range map[string]struct {
		args []string
		want []string // discovery, TLS
	}{
		"token":                      {[]string{"a:1", "--token=" + token}, []string{token, token}},
		"discovery token":            {[]string{"a:1", "--discovery-token=" + token}, []string{token, token}},
		"other for TLS":              {[]string{"a:1", "--token=" + token, "--tls-bootstrap-token=" + other}, []string{token, other}},
		"other for discovery":        {[]string{"a:1", "--token=" + token, "--discovery-token=" + other}, []string{other, token}},
		"file":                       {[]string{"--discovery-file=/a", "--token=" + token}, []string{"", token}},
		"file with its own":          {[]string{"--discovery-file=https://a/b"}, []string{"", ""}},
		"file, relative, and no use": {[]string{"--discovery-file=a.conf", "--discovery-token=" + token}, []string{"", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := parsedJoin(t, append(test.args, "--discovery-token-unsafe-skip-ca-verification")...)
			c, _, err := config.LoadJoin(nil, "", o, machine())
			equal(t, "", message(err))
			got := []string{"", c.Join.Discovery.TLSBootstrapToken}
			if c.Join.Discovery.BootstrapToken != nil {
				got[0] = c.Join.Discovery.BootstrapToken.Token
			}
			equal(t, test.want, got)
		})
	}
}

func TestJoinMaster(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("ab", 32)
	o := parsedJoin(t, "--discovery-file=file:///a.conf", "--control-plane", "--certificate-key="+key, "--apiserver-bind-port=7443")
	c, _, err := config.LoadJoin(nil, "", o, machine())
	equal(t, "", message(err))
	equal(t, "192.168.1.10:7443", c.Advertise.String())
	equal(t, key, c.Join.ControlPlane.CertificateKey)
	equal(t, 1, len(c.Node.Registration.Taints))
	equal(t, "/a.conf", c.Join.Discovery.File.KubeConfigPath)
}

func TestJoinWarnings(t *testing.T) {
	t.Parallel()
	_, warnings, err := config.LoadJoin(nil, "", parsedJoin(t, "--discovery-file=/a", "--certificate-key=x", "--apiserver-bind-port=1"), machine())
	equal(t, "", message(err))
	equal(t, []string{"--apiserver-bind-port: is ignored without --control-plane", "--certificate-key: is ignored without --control-plane"}, warnings)
	o := parsedJoin(t, "--config=j.yaml", "10.0.0.1:6443")
	_, warnings, err = config.LoadJoin([]byte(joinKind+byFile), "j.yaml", o, machine())
	equal(t, "", message(err))
	equal(t, []string{"endpoint: is ignored together with --config\n  hint: write discovery.bootstrapToken.apiServerEndpoint into j.yaml"}, warnings)
}

func TestBadJoin(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file string
		args []string
		want []string
	}{
		"nothing": {"", nil, []string{"discovery: nothing says where the cluster is: neither bootstrapToken nor file is there"}},
		"no CA": {"", []string{"10.0.0.1:6443", "--token=" + token}, []string{
			"discovery.bootstrapToken.caCertHashes: no CA is pinned: whoever knows the token could pass for the cluster"}},
		"bad flags": {"", []string{"https://10.0.0.1:6443", "--token=secretive", "--discovery-token-ca-cert-hash=md5:1"}, []string{
			`endpoint: discovery.bootstrapToken.apiServerEndpoint: "https://10.0.0.1:6443" is not of the form host:port`,
			`--discovery-token-ca-cert-hash: discovery.bootstrapToken.caCertHashes[0]: "md5:1" is not of the form sha256: and 64 hex digits`,
			"--token: discovery.bootstrapToken.token: is not of the form abcdef.0123456789abcdef: 6 and 16 of a-z and 0-9"}},
		"no port": {"", []string{"fd00::1", "--token=" + token, "--discovery-token-ca-cert-hash=" + hash}, []string{
			`endpoint: discovery.bootstrapToken.apiServerEndpoint: "fd00::1" is not of the form host:port`}},
		"TLS token alone": {"", []string{"--discovery-file=/a", "--token=secretive"}, []string{
			"--token: discovery.tlsBootstrapToken: is not of the form abcdef.0123456789abcdef: 6 and 16 of a-z and 0-9"}},
		"both": {"", []string{"10.0.0.1:6443", "--token=" + token, "--discovery-token-ca-cert-hash=" + hash, "--discovery-file=http://u:secretive@a/b"}, []string{
			"discovery: bootstrapToken and file exclude each other",
			"--discovery-file: discovery.file.kubeConfigPath: is a URL, but not of https"}},
		"not with --config": {joinKind + byFile, []string{"--config=j.yaml", "--token=" + token, "--control-plane"}, []string{
			"--control-plane: can not be given together with --config", "--token: can not be given together with --config"}},
		"all of a file": {joinKind + "discovery:\n  bootstrapToken:\n    token: secretive\n    unsafeSkipCAVerification: true\n  timeout: 5m\ncaCertPath: a\ncontrolPlane:\n  certificateKey: secretive\n" +
			"nodeRegistration: {name: a_b}\ntimeouts: {discovery: 0s}\n", nil, []string{
			"j.yaml: document 1, line 5: discovery.bootstrapToken.apiServerEndpoint: must not be empty",
			"j.yaml: document 1, line 5: discovery.bootstrapToken.token: is not of the form abcdef.0123456789abcdef: 6 and 16 of a-z and 0-9",
			"j.yaml: document 1, line 7: discovery.timeout: unknown field",
			`j.yaml: document 1, line 8: caCertPath: "a" is not an absolute path`,
			"j.yaml: document 1, line 10: controlPlane.certificateKey: must be 32 bytes in hex: 64 digits 0-9, a-f",
			`j.yaml: document 1, line 11: nodeRegistration.name: "a_b" is not a DNS name (a-z, 0-9, - and .)`,
			"j.yaml: document 1, line 12: timeouts.discovery: 0s is not more than 0"}},
		"no JoinConfiguration": {clusterKind, nil, []string{"j.yaml: there is no JoinConfiguration",
			"discovery: nothing says where the cluster is: neither bootstrapToken nor file is there"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := ""
			if test.file != "" {
				source = "j.yaml"
			}
			_, _, err := config.LoadJoin([]byte(test.file), source, parsedJoin(t, test.args...), machine())
			var got []string
			for line := range strings.Lines(message(err)) {
				if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, "  hint: ") {
					got = append(got, line)
				}
			}
			equal(t, test.want, got)
			if strings.Contains(message(err), "secretive") {
				t.Error("a secret was repeated")
			}
		})
	}
}
