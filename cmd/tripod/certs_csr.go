package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

// csrFlags say for which master signing requests are made, and where they go.
type csrFlags struct {
	config, certDir, kubeconfigDir string
}

func newCertsGenerateCSR() *cobra.Command {
	var f csrFlags
	cmd := &cobra.Command{
		Use:   "generate-csr",
		Short: "Make keys and signing requests for certificates that an authority elsewhere signs",
		Long: `generate-csr makes a key and a signing request (.csr) for every certificate of a master, and kubeconfigs that lack
only their certificates, for clusters whose CA has no key here. Names and addresses are those of the configuration.
Keys that are there are used, and a request that asks for the same already stays as it is: run again it changes nothing.

Save what the authority signs beside its key, as .crt, or base64-encoded in the kubeconfig as client-certificate-data;
put ca.crt, front-proxy-ca.crt and etcd/ca.crt there, and run init.`,
		Example: `  tripod certs generate-csr --config master.yaml
  tripod certs generate-csr --kubeconfig-dir /tmp/kubernetes --cert-dir /tmp/kubernetes/pki`,
		Args: noArgs,
		RunE: f.run,
	}
	flags := cmd.Flags()
	flags.StringVar(&f.certDir, "cert-dir", "", "`directory` of keys and requests (default: that of the configuration, or /etc/kubernetes/pki)")
	flags.StringVar(&f.config, "config", "", "`file` with kubeadm.k8s.io/v1beta4 documents")
	flags.StringVar(&f.kubeconfigDir, "kubeconfig-dir", config.PathsUnder("/").Kubernetes, "`directory` of the kubeconfigs")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	_ = cmd.MarkFlagDirname("cert-dir")
	_ = cmd.MarkFlagDirname("kubeconfig-dir")
	return cmd
}

func (f *csrFlags) run(cmd *cobra.Command, _ []string) error {
	if !filepath.IsAbs(f.kubeconfigDir) {
		return &inputError{fmt.Errorf("--kubeconfig-dir=%s: it has to be absolute", f.kubeconfigDir)}
	}
	h := host.Open("/")
	machine, err := thisMachine(h)
	if err != nil {
		return err
	}
	machine.CRISockets = nil // two are one too many only for a kubelet
	c, err := loadCerts(cmd, config.Overrides{ConfigFile: f.config, CertificatesDir: f.certDir}, machine)
	if err != nil {
		return err
	}
	c.Paths.Kubernetes = f.kubeconfigDir
	requests, err := phases.SigningRequests(h, c)
	if err != nil {
		return err
	}
	for _, r := range requests {
		for _, change := range r.Changes {
			write := func() error { return change.Do(cmd.Context(), phases.Site{Host: h}) }
			if err := noted(c.Paths, "certs generate-csr", []string{change.String()}, write); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), change)
		}
	}
	return requestTable(cmd.OutOrStdout(), requests)
}

// requestTable is what whoever signs has to know and the requests do not say.
func requestTable(to io.Writer, requests []phases.SigningRequest) error {
	w := tabwriter.NewWriter(to, 10, 4, 3, ' ', 0)
	fmt.Fprintln(w, "CERTIFICATE\tCERTIFICATE AUTHORITY\tUSAGE\tSIGNING REQUEST")
	for _, r := range requests {
		fmt.Fprintln(w, strings.Join([]string{r.Name, r.Authority, usage(r), r.File}, "\t"))
	}
	return w.Flush()
}

func usage(r phases.SigningRequest) string {
	if r.Server && r.Client {
		return "server, client"
	}
	return cmp.Or(map[bool]string{true: "server"}[r.Server], "client")
}
