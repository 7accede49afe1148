package config_test

import (
	"testing"
	"time"

	"github.com/spf13/pflag"

	"tripod.dev/tripod/internal/config"
)

// parsed are the overrides of a command line.
func parsed(t *testing.T, args ...string) config.Overrides {
	t.Helper()
	var o config.Overrides
	flags := pflag.NewFlagSet("init", pflag.ContinueOnError)
	o.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestFlags(t *testing.T) {
	t.Parallel()
	const key = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	o := parsed(t,
		"--apiserver-advertise-address=10.0.0.1", "--apiserver-bind-port=8443", "--apiserver-cert-extra-sans=LB,10.0.0.9",
		"--cert-dir=/pki", "--certificate-key="+key, "--control-plane-endpoint=lb", "--cri-socket=unix:///crio", "--dry-run",
		"--feature-gates=NodeLocalCRISocket=true", "--ignore-preflight-errors=Swap,NumCPU", "--image-repository=my.registry",
		"--kubernetes-version=v1.35.1", "--node-name=Other", "--patches=patches", "--pod-network-cidr=10.1.0.0/16", "--service-cidr=10.2.0.0/16",
		"--service-dns-domain=k8s.local", "--skip-phases=preflight,certs", "--token=abcdef.0123456789abcdef", "--token-ttl=0",
		"--skip-certificate-key-print", "--skip-token-print", "--upload-certs")
	c, warnings, err := config.Load(nil, "", o, machine())
	equal(t, "", message(err))
	equal(t, []string(nil), warnings)

	equal(t, "10.0.0.1:8443", c.Advertise.String())
	equal(t, []string{"lb", "10.0.0.9"}, c.Cluster.APIServer.CertSANs)
	equal(t, "/pki", c.Paths.PKI)
	equal(t, key, c.Init.CertificateKey)
	equal(t, "lb:8443", c.Endpoint)
	equal(t, "unix:///crio", c.Init.NodeRegistration.CRISocket)
	equal(t, true, c.Init.DryRun)
	equal(t, map[string]bool{"NodeLocalCRISocket": true}, c.Cluster.FeatureGates)
	equal(t, []string{"numcpu", "swap"}, c.Init.NodeRegistration.IgnorePreflightErrors)
	equal(t, "my.registry/pause:3.10.2", c.Image("pause"))
	equal(t, "v1.35.1", c.Version.Tag())
	equal(t, "other", c.Init.NodeRegistration.Name)
	equal(t, "patches", c.Init.Patches.Directory)
	equal(t, prefixes("10.1.0.0/16"), c.Pods)
	equal(t, prefixes("10.2.0.0/16"), c.Services)
	equal(t, "k8s.local", c.Cluster.Networking.DNSDomain)
	equal(t, []string{"preflight", "certs"}, c.Init.SkipPhases)
	equal(t, "abcdef.0123456789abcdef", c.Init.BootstrapTokens[0].Token)
	equal(t, time.Duration(0), c.Init.BootstrapTokens[0].TTL.Duration)
	equal(t, []bool{true, true, true}, []bool{o.SkipCertificateKeyPrint, o.SkipTokenPrint, o.UploadCerts})
	equal(t, []string{"LB", "10.0.0.9"}, o.CertSANs)
}

func TestFlagsWithFile(t *testing.T) {
	t.Parallel()
	o := parsed(t, "--config=init.yaml", "--node-name=b", "--ignore-preflight-errors=Swap", "--skip-phases=certs", "--dry-run=false", "--skip-token-print", "--upload-certs")
	file := initKind + "dryRun: true\nnodeRegistration: {name: a, ignorePreflightErrors: [NumCPU]}\nskipPhases: [preflight]\n"
	c, _, err := config.Load([]byte(file), o.ConfigFile, o, machine())
	equal(t, "", message(err))
	equal(t, "b", c.Init.NodeRegistration.Name)
	equal(t, []string{"numcpu", "swap"}, c.Init.NodeRegistration.IgnorePreflightErrors)
	equal(t, []string{"certs"}, c.Init.SkipPhases)
	equal(t, false, c.Init.DryRun)
}

func TestBadFlags(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"not with --config": {[]string{"--config=init.yaml", "--patches=p", "--cri-socket=unix:///a"},
			"--cri-socket: can not be given together with --config\n  hint: write nodeRegistration.criSocket into init.yaml\n" +
				"--patches: can not be given together with --config\n  hint: write patches.directory into init.yaml"},
		"gates":  {[]string{"--feature-gates=A"}, `--feature-gates: "A" is not of the form NAME=true or NAME=false`},
		"subnet": {[]string{"--pod-network-cidr=10.0.0.1/8"}, "--pod-network-cidr: networking.podSubnet: 10.0.0.1/8 has bits set after its prefix\n  hint: write 10.0.0.0/8"},
		"name":   {[]string{"--node-name=a_b"}, "--node-name: nodeRegistration.name: \"a_b\" is not a DNS name (a-z, 0-9, - and .)\n  hint: give another with --node-name"},
		"SANs":   {[]string{"--apiserver-cert-extra-sans=a,b_c"}, "--apiserver-cert-extra-sans: apiServer.certSANs[1]: \"b_c\" is not an IP address, a DNS name, or a DNS name that begins with *."},
		"token": {[]string{"--token=abc", "--token-ttl=-1h"},
			"--token: bootstrapTokens[0].token: is not of the form abcdef.0123456789abcdef: 6 and 16 of a-z and 0-9\n" +
				"--token-ttl: bootstrapTokens[0].ttl: -1h0m0s is less than 0"},
		"port": {[]string{"--apiserver-bind-port=65536"}, "--apiserver-bind-port: localAPIEndpoint.bindPort: 65536 is not a port: 1 to 65535"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := parsed(t, test.args...)
			_, _, err := config.Load([]byte(clusterKind), o.ConfigFile, o, machine())
			equal(t, test.want, message(err))
		})
	}
}

// The flags are those of kubeadm init.
func TestEveryFlagOfInit(t *testing.T) {
	t.Parallel()
	var o config.Overrides
	flags := pflag.NewFlagSet("init", pflag.ContinueOnError)
	o.AddFlags(flags)
	var names []string
	flags.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	equal(t, []string{
		"apiserver-advertise-address", "apiserver-bind-port", "apiserver-cert-extra-sans", "cert-dir", "certificate-key", "config",
		"control-plane-endpoint", "cri-socket", "dry-run", "feature-gates", "ignore-preflight-errors", "image-repository", "kubernetes-version",
		"node-name", "patches", "pod-network-cidr", "service-cidr", "service-dns-domain", "skip-certificate-key-print", "skip-phases",
		"skip-token-print", "token", "token-ttl", "upload-certs",
	}, names)
}
