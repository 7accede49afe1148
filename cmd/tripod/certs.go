package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/bootstrap"
)

func newCertsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "certs",
		Short:   "Certificates and keys",
		Example: "  tripod certs check-expiration",
	}
	cmd.AddCommand(newCertificateKey(), newCertsCheckExpiration(), newCertsGenerateCSR(), newCertsRenew())
	return cmd
}

func newCertificateKey() *cobra.Command {
	return &cobra.Command{
		Use:   "certificate-key",
		Short: "Print a key, drawn at random, that uploaded certificates can be encrypted with",
		Long: `Print a key, drawn at random, for --certificate-key of init and of init phase upload-certs.
It gives access to the cluster's authorities for as long as they are uploaded: keep it secret.`,
		Example: "  tripod certs certificate-key",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), bootstrap.DrawCertificateKey())
			return err
		},
	}
}
