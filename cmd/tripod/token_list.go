package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/duration"

	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/host"
)

func newTokenList() *cobra.Command {
	var (
		f      clusterFlags
		output string
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the cluster's tokens, with their secrets",
		Example: `  tripod token list
  tripod token list -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("output", output, "text", "json", "yaml"); err != nil {
				return err
			}
			records, err := f.tokens(cmd)
			if err != nil {
				return err
			}
			if output == "text" {
				return tokenTable(cmd.OutOrStdout(), records, host.Now())
			}
			return printTokens(cmd.OutOrStdout(), output, records)
		},
	}
	f.add(cmd)
	addOutput(cmd, &output, "text, json or yaml", "text", "json", "yaml")
	return cmd
}

// tokens are those that the cluster has. A Secret that is none although its type says so is told of, and left out.
func (f clusterFlags) tokens(cmd *cobra.Command) ([]bootstrap.Record, error) {
	client, _, err := f.connect()
	if err != nil {
		return nil, err
	}
	var secrets []unstructured.Unstructured
	err = ask(cmd.Context(), cmd.ErrOrStderr(), func(ctx context.Context) (err error) {
		secrets, err = client.List(ctx, corev1.SchemeGroupVersion.WithKind("Secret"), metav1.NamespaceSystem, "type="+string(corev1.SecretTypeBootstrapToken))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	var records []bootstrap.Record
	for _, secret := range secrets {
		r, err := bootstrap.ReadRecord(&secret)
		if err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "Secret %s is no token: %v\n", secret.GetName(), err)
			continue
		}
		slices.Sort(r.Usages)
		records = append(records, r)
	}
	return records, nil
}

// tokenTable has kubeadm's columns. Without tokens it is empty.
func tokenTable(to io.Writer, records []bootstrap.Record, now time.Time) error {
	if len(records) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(to, 10, 4, 3, ' ', 0)
	fmt.Fprintln(w, "TOKEN\tTTL\tEXPIRES\tUSAGES\tDESCRIPTION\tEXTRA GROUPS")
	for _, r := range records {
		ttl, expires := "<forever>", "<never>"
		if !r.Expires.IsZero() {
			ttl, expires = duration.ShortHumanDuration(r.Expires.Sub(now)), r.Expires.Format(time.RFC3339)
		}
		fmt.Fprintln(w, strings.Join([]string{
			r.Token.String(), ttl, expires, orNone(strings.Join(r.Usages, ",")), orNone(r.Description), orNone(strings.Join(r.Groups, ",")),
		}, "\t"))
	}
	return w.Flush()
}

func orNone(text string) string {
	if text == "" {
		return "<none>"
	}
	return text
}

// listedToken is the document of kubeadm's output API.
type listedToken struct {
	metav1.TypeMeta `json:",inline"`
	Token           string       `json:"token"`
	Description     string       `json:"description,omitempty"`
	Expires         *metav1.Time `json:"expires,omitempty"`
	Usages          []string     `json:"usages,omitempty"`
	Groups          []string     `json:"groups,omitempty"`
}

// printTokens prints a document a token, as kubeadm does.
func printTokens(to io.Writer, output string, records []bootstrap.Record) error {
	for i, r := range records {
		if i > 0 && output == "yaml" {
			fmt.Fprintln(to, "---")
		}
		document := listedToken{
			TypeMeta: outputType("BootstrapToken"), Token: r.Token.String(), Description: r.Description, Usages: r.Usages, Groups: r.Groups,
		}
		if !r.Expires.IsZero() {
			document.Expires = &metav1.Time{Time: r.Expires}
		}
		if err := printAs(to, output, document); err != nil {
			return err
		}
	}
	return nil
}

// outputType is a kind of the API that kubeadm's output is of.
func outputType(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: "output.kubeadm.k8s.io/v1alpha3", Kind: kind}
}
