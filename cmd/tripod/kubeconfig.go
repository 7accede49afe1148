package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
)

func newKubeconfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "kubeconfig",
		Short:   "Kubeconfigs for people and programs",
		Example: "  tripod kubeconfig user --client-name jane --org developers",
	}
	cmd.AddCommand(newKubeconfigUser())
	return cmd
}

// yearly is how long a client's certificate is valid unless something else is asked for.
const yearly = 365 * 24 * time.Hour

// userFlags say whom a kubeconfig is for.
type userFlags struct {
	config, name, token string
	groups              []string
	validity            time.Duration
}

func newKubeconfigUser() *cobra.Command {
	var u userFlags
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Print a kubeconfig for one more user, signed by this master's CA",
		Long: `user signs a client certificate with the CA in this master's certificatesDir and prints a kubeconfig
that holds it and its key, or the token that is given. The cluster's address and name are those of a
configuration file, or else those of /etc/kubernetes/admin.conf and of the ConfigMap kubeadm-config.`,
		Example: `  tripod kubeconfig user --client-name jane --org developers > jane.conf
  tripod kubeconfig user --client-name ci --validity-period 24h --config master.yaml`,
		Args: noArgs,
		RunE: u.run,
	}
	flags := cmd.Flags()
	flags.StringVar(&u.config, "config", "", "`file` with a ClusterConfiguration")
	flags.StringVar(&u.name, "client-name", "", "`name` of the user: the certificate's common name")
	flags.StringSliceVar(&u.groups, "org", nil, "`groups` of the user: the certificate's organizations")
	flags.StringVar(&u.token, "token", "", "`token` that the user shows instead of a certificate")
	flags.DurationVar(&u.validity, "validity-period", yearly, "`duration` for which the certificate is valid")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	require(cmd, "client-name")
	return cmd
}

func (u *userFlags) run(cmd *cobra.Command, _ []string) error {
	switch {
	case u.name == "":
		return &inputError{errors.New("--client-name is empty")}
	case u.validity <= 0:
		return &inputError{fmt.Errorf("--validity-period: %s is not more than 0", u.validity)}
	case u.token != "" && len(u.groups) > 0:
		return &inputError{errors.New("--org goes into a certificate, and --token has none")}
	case u.validity > yearly && u.token == "":
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: --validity-period: a certificate can not be taken back for %s\n", u.validity)
	}
	home, err := u.home(cmd)
	if err != nil {
		return err
	}
	now := host.Now()
	ca, err := home.authority(now)
	if err != nil {
		return &inputError{err}
	}
	auth, err := u.auth(home, ca, now)
	if err != nil {
		return &inputError{err}
	}
	data, err := home.kubeconfig(u.name, ca, auth)
	if err != nil {
		return err
	}
	_, err = cmd.OutOrStdout().Write(data)
	return err
}

// home is what a kubeconfig says of its cluster, and where the cluster's CA lies.
type home struct {
	server, name, pki string
	algorithm         certs.Algorithm
}

// home is that of a configuration file, or that of the cluster whose master this is.
func (u *userFlags) home(cmd *cobra.Command) (home, error) {
	if u.config == "" {
		return homeHere(cmd)
	}
	data, err := config.ReadFile(u.config)
	if err != nil {
		return home{}, &inputError{err}
	}
	c, _, err := config.Load(data, u.config, config.Overrides{}, anyMachine(host.Open("/")))
	if err != nil {
		return home{}, &inputError{err}
	}
	return home{
		server: "https://" + c.Endpoint, name: c.Cluster.ClusterName, pki: c.Paths.PKI,
		algorithm: certs.Algorithm(c.Cluster.EncryptionAlgorithm),
	}, nil
}

// homeHere is what admin.conf says; what it does not say, the cluster is asked for.
func homeHere(cmd *cobra.Command) (home, error) {
	path := adminConfPath()
	data, err := readKubeconfig(path)
	if err != nil {
		return home{}, &inputError{fmt.Errorf("%w\nhint: run this on a master, or give a --config with its ClusterConfiguration", err)}
	}
	client, err := cluster.FromKubeconfig(data, "")
	if err != nil {
		return home{}, &inputError{fmt.Errorf("%s: %w", path, err)}
	}
	file, err := clientcmd.Load(data)
	if err != nil {
		return home{}, err
	}
	entry := currentCluster(file)
	context := file.Contexts[file.CurrentContext]
	if entry == nil || context == nil {
		return home{}, &inputError{fmt.Errorf("%s names no cluster", path)}
	}
	h := home{server: entry.Server, name: context.Cluster, pki: config.PathsUnder("/").PKI, algorithm: certs.ECDSAP256}
	if err := h.ask(cmd.Context(), client); err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: the cluster does not tell its configuration, %s is taken for certificatesDir: %v\n", h.pki, err)
	}
	return h, nil
}

// ask asks the cluster, not for long, where its certificates lie and of which kind they are.
func (h *home) ask(ctx context.Context, client *cluster.Client) error {
	ctx, stop := context.WithTimeout(ctx, 3*time.Second)
	defer stop()
	object, err := client.Get(ctx, cluster.ConfigMap("kube-system", "kubeadm-config"))
	if err != nil {
		return err
	}
	stored, err := cluster.As[corev1.ConfigMap](object)
	if err != nil {
		return err
	}
	var said config.ClusterConfiguration
	if err := yaml.Unmarshal([]byte(stored.Data["ClusterConfiguration"]), &said); err != nil {
		return err
	}
	if said.CertificatesDir != "" {
		h.pki = said.CertificatesDir
	}
	if said.EncryptionAlgorithm != "" {
		h.algorithm = certs.Algorithm(said.EncryptionAlgorithm)
	}
	return nil
}

// authority is the cluster's CA, with its key if it is here.
func (h home) authority(now time.Time) (certs.Pair, error) {
	path := filepath.Join(h.pki, "ca.crt")
	certificate, err := os.ReadFile(path)
	if err != nil {
		return certs.Pair{}, fmt.Errorf("no CA: %w\nhint: run this on a master", err)
	}
	key, err := os.ReadFile(filepath.Join(h.pki, "ca.key"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return certs.Pair{}, err
	}
	ca, err := certs.Parse(certificate, key)
	if err != nil {
		return certs.Pair{}, fmt.Errorf("%s: %w", path, err)
	}
	if now.After(ca.Cert.NotAfter) {
		return certs.Pair{}, fmt.Errorf("%s has expired at %s", path, ca.Cert.NotAfter.Format(time.RFC3339))
	}
	return ca, nil
}

// auth is what the user shows to the apiserver.
func (u *userFlags) auth(h home, ca certs.Pair, now time.Time) (*api.AuthInfo, error) {
	if u.token != "" {
		return &api.AuthInfo{Token: u.token}, nil
	}
	if ca.Key == nil {
		return nil, fmt.Errorf("there is no %s to sign with\nhint: with an external CA have it sign the certificate, or give a --token", filepath.Join(h.pki, "ca.key"))
	}
	spec := certs.Spec{
		CommonName: u.name, Organization: u.groups, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		Algorithm: h.algorithm, Validity: u.validity,
	}
	client, err := certs.Issue(spec, &ca, now)
	if err != nil {
		return nil, err
	}
	key, err := client.KeyPEM()
	return &api.AuthInfo{ClientCertificateData: client.CertPEM(), ClientKeyData: key}, err
}

func (h home) kubeconfig(user string, ca certs.Pair, auth *api.AuthInfo) ([]byte, error) {
	context := user + "@" + h.name
	return clientcmd.Write(api.Config{
		Clusters:       map[string]*api.Cluster{h.name: {Server: h.server, CertificateAuthorityData: ca.ChainPEM()}},
		AuthInfos:      map[string]*api.AuthInfo{user: auth},
		Contexts:       map[string]*api.Context{context: {Cluster: h.name, AuthInfo: user}},
		CurrentContext: context,
	})
}
