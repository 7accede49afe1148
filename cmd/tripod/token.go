package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

func newTokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Manage the tokens by which nodes join",
		Long: `A bootstrap token is what a machine that joins and the cluster know each other by. It is ID.SECRET,
six and sixteen of a-z and 0-9, and lies in the cluster as the Secret kube-system/bootstrap-token-ID.`,
		Example: `  tripod token create --print-join-command
  tripod token list`,
	}
	cmd.AddCommand(newTokenCreate(), newTokenList(), newTokenDelete(), newTokenGenerate())
	return cmd
}

func newTokenGenerate() *cobra.Command {
	return &cobra.Command{
		Use:   "generate",
		Short: "Print a token drawn at random; the cluster does not know it yet",
		Example: `  tripod token generate
  tripod init --token "$(tripod token generate)"`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), bootstrap.DrawToken().String())
			return err
		},
	}
}

// clusterFlags say which cluster a verb talks to.
type clusterFlags struct {
	kubeconfig string
	dryRun     bool
}

func (f *clusterFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig `file` (default: $KUBECONFIG, ~/.kube/config or /etc/kubernetes/admin.conf, the first that is there)")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be done, do nothing")
	_ = cmd.MarkFlagFilename("kubeconfig", "conf", "yaml")
}

// path is where kubeadm would look for the kubeconfig.
func (f clusterFlags) path() string {
	if f.kubeconfig != "" {
		return f.kubeconfig
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.Precedence = append(rules.Precedence, adminConfPath())
	return rules.GetDefaultFilename()
}

func adminConfPath() string { return filepath.Join(config.PathsUnder("/").Kubernetes, "admin.conf") }

// connect reads the kubeconfig, and returns it beside the client, with the files that it names in it.
func (f clusterFlags) connect() (*cluster.Client, []byte, error) {
	data, err := readKubeconfig(f.path())
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w\nhint: --kubeconfig names one, /etc/kubernetes/admin.conf is there on masters", err)
	}
	if err != nil {
		return nil, nil, &inputError{err}
	}
	client, err := cluster.FromKubeconfig(data, "")
	if err != nil {
		return nil, nil, &inputError{fmt.Errorf("%s: %w", f.path(), err)}
	}
	return client, data, nil
}

func readKubeconfig(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("no kubeconfig: %w", err)
	}
	file, err := clientcmd.Load(data)
	if err != nil { // which may quote the file: keys are in there
		return nil, fmt.Errorf("%s is no kubeconfig", path)
	}
	for _, c := range file.Clusters {
		c.LocationOfOrigin = path
	}
	for _, user := range file.AuthInfos {
		user.LocationOfOrigin = path
	}
	if err := clientcmd.ResolveLocalPaths(file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return clientcmd.Write(*file)
}

// apiCall bounds one question to the cluster: a person waits for the answer.
const apiCall = 10 * time.Second

// ask asks the cluster until there is an answer that will not get better; what it waits for is told on notes.
func ask(ctx context.Context, notes io.Writer, attempt func(context.Context) error) error {
	ctx, stop := context.WithTimeout(ctx, apiCall)
	defer stop()
	return phases.BesideEtcd(ctx, host.Open("/"), config.Config{Paths: config.PathsUnder("/")}, func(ctx context.Context) error {
		return cluster.Insist(ctx, func(reason string) { fmt.Fprintln(notes, "waiting:", reason) }, attempt)
	})
}
