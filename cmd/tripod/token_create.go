package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

// tokenCreate is tripod token create.
type tokenCreate struct {
	clusterFlags
	config, description, certificateKey string
	ttl                                 time.Duration
	usages, groups                      []string
	printJoin, controlPlane             bool
	certDir                             string
}

func newTokenCreate() *cobra.Command {
	var c tokenCreate
	cmd := &cobra.Command{
		Use:   "create [TOKEN]",
		Short: "Create a token in the cluster, and print it",
		Long: `create makes a token known to the cluster: the one that is given, those of a configuration file
(bootstrapTokens of InitConfiguration), or one drawn at random. It prints the token, or the whole command
that a machine joins the cluster with.`,
		Example: `  tripod token create
  tripod token create --print-join-command --ttl 1h
  tripod token create --control-plane   # the command of a further master, with a fresh certificate key
  tripod token create --print-join-command --certificate-key "$KEY"   # the same with a key from before`,
		Args:              tokenArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              c.run,
	}
	flags := cmd.Flags()
	c.clusterFlags.add(cmd)
	flags.StringVar(&c.config, "config", "", "`file` with an InitConfiguration, for its bootstrapTokens")
	flags.DurationVar(&c.ttl, "ttl", 24*time.Hour, "`duration` after which the token expires, 0 is never")
	flags.StringSliceVar(&c.usages, "usages", []string{"signing", "authentication"}, "what the token is good for: `usages`, of signing and authentication")
	flags.StringSliceVar(&c.groups, "groups", []string{defaultNodeGroup}, "`groups` of whoever authenticates with it; each begins with system:bootstrappers:")
	flags.StringVar(&c.description, "description", "", "`text` for people")
	flags.BoolVar(&c.printJoin, "print-join-command", false, "print the command that a machine joins with")
	flags.StringVar(&c.certificateKey, "certificate-key", "", "with --print-join-command: the `key` of init phase upload-certs, for the command of a master")
	flags.BoolVar(&c.controlPlane, "control-plane", false, "print the command that a further master joins with: what masters share is uploaded, sealed with a fresh certificate key (or that of --certificate-key)")
	flags.StringVar(&c.certDir, "cert-dir", "", "with --control-plane: `directory` of what masters share (default: this master's, or /etc/kubernetes/pki)")
	_ = cmd.MarkFlagDirname("cert-dir")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	for name, values := range map[string][]string{"usages": {"signing", "authentication"}, "groups": {defaultNodeGroup}, "certificate-key": nil, "ttl": nil, "description": nil} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	return cmd
}

// defaultNodeGroup is the group that kubeadm's rules let in.
const defaultNodeGroup = "system:bootstrappers:kubeadm:default-node-token"

// tokenArgs does not repeat what is given: a token.
func tokenArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("%s takes one token", cmd.CommandPath())
	}
	return nil
}

func (c *tokenCreate) run(cmd *cobra.Command, args []string) error {
	if err := c.check(cmd, args); err != nil {
		return &inputError{err}
	}
	records, err := c.records(args)
	if err != nil {
		return &inputError{err}
	}
	if c.dryRun {
		for _, r := range records {
			fmt.Fprintf(cmd.OutOrStdout(), "would create Secret kube-system/bootstrap-token-%s\n", r.ID)
		}
		if c.controlPlane {
			fmt.Fprintln(cmd.OutOrStdout(), "would create Secret kube-system/kubeadm-certs")
		}
		return nil
	}
	client, kubeconfig, err := c.connect()
	if err != nil {
		return err
	}
	for _, r := range records {
		made := []string{"create token " + r.ID}
		if err := noted(ofMachine(), "token create", made, func() error { return createToken(cmd, client, r) }); err != nil {
			return err
		}
	}
	if c.controlPlane {
		uploaded := []string{"upload the certificates that masters share"}
		if err := noted(ofMachine(), "token create", uploaded, func() error { return c.upload(cmd, client) }); err != nil {
			return err
		}
	}
	text := records[0].Token.String()
	if c.printJoin || c.controlPlane {
		if text, err = c.joinCommand(cmd, client, kubeconfig, records[0].Token); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
	return err
}

// upload gives the cluster what masters share, sealed with the key that the command is printed with.
func (c *tokenCreate) upload(cmd *cobra.Command, client *cluster.Client) error {
	if c.certificateKey == "" {
		c.certificateKey = bootstrap.DrawCertificateKey()
	}
	site := phases.Site{Host: host.Open("/")}
	cfg := config.Config{Paths: config.PathsUnder("/"), APICall: apiCall}
	cfg.Paths.PKI = cmp.Or(c.certDir, phases.CertDirHere(site.Host, cfg), cfg.Paths.PKI)
	return phases.UploadCertificates(cmd.Context(), site, cfg, client, c.certificateKey)
}

// check finds what does not go together, and what can not be.
func (c *tokenCreate) check(cmd *cobra.Command, args []string) error {
	var all *multierror.Error
	for _, name := range []string{"ttl", "usages", "groups", "description"} {
		if c.config != "" && cmd.Flags().Changed(name) {
			all = multierror.Append(all, fmt.Errorf("--%s: can not be given together with --config\nhint: write it into bootstrapTokens of %s", name, c.config))
		}
	}
	if c.config != "" && len(args) > 0 {
		all = multierror.Append(all, errors.New("a token can not be given together with --config"))
	}
	if c.certificateKey != "" && !c.printJoin && !c.controlPlane {
		all = multierror.Append(all, errors.New("--certificate-key goes with --print-join-command"))
	}
	if c.certificateKey != "" && !regexp.MustCompile(`^[0-9a-fA-F]{64}$`).MatchString(c.certificateKey) {
		all = multierror.Append(all, fmt.Errorf("--certificate-key: is not 32 bytes in hex\nhint: %s certs certificate-key draws one", cmd.Root().Name()))
	}
	if !cmd.Flags().Changed("groups") && !slices.Contains(c.usages, "authentication") {
		c.groups = nil
	}
	return multierror.Append(all, c.checkUse()...).ErrorOrNil()
}

// checkUse finds what the cluster would refuse.
func (c *tokenCreate) checkUse() []error {
	var all []error
	if c.ttl < 0 {
		all = append(all, fmt.Errorf("--ttl: %s is less than 0", c.ttl))
	}
	for _, usage := range c.usages {
		if err := oneOf("usages", usage, "signing", "authentication"); err != nil {
			all = append(all, err)
		}
	}
	for _, group := range c.groups {
		if !regexp.MustCompile(`^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$`).MatchString(group) {
			all = append(all, fmt.Errorf("--groups: %q does not begin with system:bootstrappers:, or has more than a-z, 0-9, : and - after it", group))
		}
	}
	if len(c.groups) > 0 && !slices.Contains(c.usages, "authentication") {
		all = append(all, errors.New("--groups: mean nothing without the usage authentication"))
	}
	return all
}

// records are the tokens that there will be.
func (c *tokenCreate) records(args []string) ([]bootstrap.Record, error) {
	now := host.Now()
	if c.config != "" {
		return recordsOf(c.config, now)
	}
	token := bootstrap.DrawToken()
	if len(args) > 0 {
		var err error
		if token, err = bootstrap.ParseToken(args[0]); err != nil {
			return nil, err
		}
	}
	r := bootstrap.Record{Token: token, Description: c.description, Usages: c.usages, Groups: c.groups}
	if c.ttl > 0 {
		r.Expires = now.Add(c.ttl)
	}
	return []bootstrap.Record{r}, nil
}

// recordsOf are the tokens that a configuration file asks for, or one with its defaults.
func recordsOf(file string, now time.Time) ([]bootstrap.Record, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	machine := anyMachine(host.Open("/"))
	machine.Token = bootstrap.DrawToken().String()
	c, _, err := config.Load(data, file, config.Overrides{}, machine)
	if err != nil {
		return nil, err
	}
	var records []bootstrap.Record
	for _, t := range c.Init.BootstrapTokens {
		token, err := bootstrap.ParseToken(t.Token)
		if err != nil {
			return nil, err
		}
		r := bootstrap.Record{Token: token, Description: t.Description, Usages: t.Usages, Groups: t.Groups}
		switch {
		case t.Expires != nil:
			r.Expires = t.Expires.Time
		case t.TTL != nil && t.TTL.Duration > 0:
			r.Expires = now.Add(t.TTL.Duration)
		}
		records = append(records, r)
	}
	return records, nil
}

// createToken makes the token known. What has its ID already is left as it is.
func createToken(cmd *cobra.Command, client *cluster.Client, r bootstrap.Record) error {
	err := ask(cmd.Context(), cmd.ErrOrStderr(), func(ctx context.Context) error {
		_, err := client.Create(ctx, r.Object())
		return err
	})
	if apierrors.IsAlreadyExists(err) {
		return &inputError{fmt.Errorf("there is a token %s already\nhint: %s token delete %[1]s removes it", r.ID, cmd.Root().Name())}
	}
	if err != nil {
		return fmt.Errorf("create token %s: %w", r.ID, err)
	}
	return signInfo(cmd, client, r)
}

// signInfo signs cluster-info with the token, so that who joins by it needs not wait for a controller-manager that leads: the
// bootstrapsigner does the same, a while after it has begun to.
func signInfo(cmd *cobra.Command, client *cluster.Client, r bootstrap.Record) error {
	if !r.For(bootstrap.Signing) {
		return nil
	}
	err := ask(cmd.Context(), cmd.ErrOrStderr(), func(ctx context.Context) error {
		info, err := client.Get(ctx, cluster.ConfigMap(bootstrap.InfoNamespace, bootstrap.InfoName))
		if err != nil {
			return err
		}
		text, _, err := unstructured.NestedString(info.Object, "data", bootstrap.InfoKey)
		if err != nil || text == "" {
			return err
		}
		jws, err := r.Sign(text)
		if err == nil {
			err = unstructured.SetNestedField(info.Object, jws, "data", bootstrap.SignaturePrefix+r.ID)
		}
		if err != nil {
			return err
		}
		_, err = client.Update(ctx, info) // a conflict, and so again, if the controller was faster
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil // there is nothing to sign
	}
	if err != nil {
		return fmt.Errorf("sign cluster-info with token %s: %w", r.ID, err)
	}
	return nil
}
