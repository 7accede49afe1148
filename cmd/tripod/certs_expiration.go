package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

// expirationFlags say whose certificates are looked at, and when it is to be complained of.
type expirationFlags struct {
	config, certDir, kubeconfig, output string
	// failWithin is 0 where nobody wants to know.
	failWithin time.Duration
}

func newCertsCheckExpiration() *cobra.Command {
	var f expirationFlags
	cmd := &cobra.Command{
		Use:   "check-expiration",
		Short: "Say until when this master's certificates and authorities are valid",
		Long: `check-expiration reads the certificates, the kubeconfigs and the file that the kubelet rotates. No apiserver has to
run. IN USE says whether the component that runs here serves that very certificate: a renewed one is in use when its
component has read it. It is - for what nobody serves, and where nobody answers within a second.

The directory of certificates is that of the flag, of the configuration file, of the apiserver's manifest, or of the
cluster that --kubeconfig leads to: the first that says it.

Files that can't be read or parsed are named, with exit code 1, when all others have been told of. With --fail-within
the exit code is 4 where a certificate ends within that time, or has ended.`,
		Example: `  tripod certs check-expiration
  tripod certs check-expiration -o json
  tripod certs check-expiration --fail-within 720h >/dev/null  # for those who watch: 30 days`,
		Args: noArgs,
		RunE: f.run,
	}
	flags := cmd.Flags()
	flags.StringVar(&f.certDir, "cert-dir", "", "`directory` of the certificates (default: this master's, or /etc/kubernetes/pki)")
	flags.StringVar(&f.config, "config", "", "`file` with a ClusterConfiguration")
	flags.StringVar(&f.kubeconfig, "kubeconfig", adminConfPath(), "kubeconfig `file` of the cluster, which is asked where nothing else says where certificates lie")
	flags.DurationVar(&f.failWithin, "fail-within", 0, "`duration`: end with exit code 4 if a certificate or an authority ends within it")
	addOutput(cmd, &f.output, "text, json or yaml", "text", "json", "yaml")
	_ = cmd.MarkFlagDirname("cert-dir")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	_ = cmd.MarkFlagFilename("kubeconfig", "conf", "yaml")
	_ = cmd.RegisterFlagCompletionFunc("fail-within", cobra.NoFileCompletions)
	return cmd
}

func (f *expirationFlags) run(cmd *cobra.Command, _ []string) error {
	if err := oneOf("output", f.output, "text", "json", "yaml"); err != nil {
		return err
	}
	if f.failWithin < 0 {
		return &inputError{fmt.Errorf("--fail-within: %s is less than 0", f.failWithin)}
	}
	h := host.Open("/")
	c, err := f.load(cmd, h)
	if err != nil {
		return err
	}
	all := phases.ReadExpirations(h, c)
	phases.AskUsed(cmd.Context(), h, c, all)
	now := host.Now()
	if f.output == "text" {
		err = expirationTables(cmd.OutOrStdout(), all, now)
	} else {
		err = printAs(cmd.OutOrStdout(), f.output, expirationDocumentOf(all, now))
	}
	return multierror.Append(err, f.complaints(all, now)...).ErrorOrNil()
}

// complaints are about what can't be read, and what ends too soon.
func (f *expirationFlags) complaints(all []phases.Expiration, now time.Time) []error {
	var errs []error
	for _, e := range all {
		if e.Err != nil {
			errs = append(errs, e.Err)
		}
		if f.failWithin > 0 && e.Within(now.Add(f.failWithin)) {
			verb := "ends"
			if e.Within(now) {
				verb = "has ended"
			}
			errs = append(errs, &unhealthyError{fmt.Errorf("%s %s at %s", e.File, verb, e.NotAfter.UTC().Format(time.RFC3339))})
		}
	}
	return errs
}

// load is the configuration of this master, as far as the places of its certificates depend on it.
func (f *expirationFlags) load(cmd *cobra.Command, h *host.Host) (config.Config, error) {
	overrides := config.Overrides{ConfigFile: f.config, CertificatesDir: f.certDir}
	if f.certDir == "" && f.config == "" {
		overrides.CertificatesDir = f.certDirHere(cmd, h)
	}
	return loadCerts(cmd, overrides, anyMachine(h))
}

// certDirHere is the directory that this master's apiserver, or else the cluster, says; empty where nobody does.
func (f *expirationFlags) certDirHere(cmd *cobra.Command, h *host.Host) string {
	if dir := phases.CertDirHere(h, config.Config{Paths: config.PathsUnder("/")}); dir != "" {
		return dir
	}
	data, err := readKubeconfig(f.kubeconfig)
	if errors.Is(err, os.ErrNotExist) && !cmd.Flags().Changed("kubeconfig") {
		return ""
	}
	var said home
	if err == nil {
		var client *cluster.Client
		if client, err = cluster.FromKubeconfig(data, ""); err == nil {
			err = said.ask(cmd.Context(), client)
		}
	}
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: the cluster does not tell its configuration, the usual directory is taken for certificatesDir: %v\n", err)
	}
	return said.pki
}

// loadCerts reads the configuration file that the overrides name, if there is one, and tells of its warnings.
func loadCerts(cmd *cobra.Command, o config.Overrides, m config.Machine) (config.Config, error) {
	data, err := readGiven(o.ConfigFile)
	if err != nil {
		return config.Config{}, &inputError{err}
	}
	c, warnings, err := config.Load(data, o.ConfigFile, o, m)
	if err != nil {
		return c, &inputError{err}
	}
	for _, w := range warnings {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
	}
	return c, nil
}
