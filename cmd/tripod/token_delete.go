package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/cluster"
)

func newTokenDelete() *cobra.Command {
	var f clusterFlags
	cmd := &cobra.Command{
		Use:   "delete ID...",
		Short: "Delete tokens, each by its ID or whole",
		Example: `  tripod token delete abcdef
  tripod token delete abcdef 123456`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("%s takes the ID of a token\nhint: %s token list", cmd.CommandPath(), cmd.Root().Name())
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, args []string) error { return f.deleteTokens(cmd, args) },
	}
	f.add(cmd)
	return cmd
}

func (f clusterFlags) deleteTokens(cmd *cobra.Command, args []string) error {
	var ids []string
	for _, arg := range args {
		id, err := tokenID(arg)
		if err != nil {
			return &inputError{err}
		}
		ids = append(ids, id)
	}
	if f.dryRun {
		for _, id := range ids {
			fmt.Fprintf(cmd.OutOrStdout(), "would delete Secret kube-system/bootstrap-token-%s\n", id)
		}
		return nil
	}
	client, _, err := f.connect()
	if err != nil {
		return err
	}
	for _, id := range ids {
		gone := []string{"delete token " + id}
		if err := noted(ofMachine(), "token delete", gone, func() error { return deleteToken(cmd, client, id) }); err != nil {
			return err
		}
	}
	return nil
}

func deleteToken(cmd *cobra.Command, client *cluster.Client, id string) error {
	err := ask(cmd.Context(), cmd.ErrOrStderr(), func(ctx context.Context) error {
		return client.Delete(ctx, cluster.Secret(bootstrap.Namespace, bootstrap.SecretPrefix+id))
	})
	if apierrors.IsNotFound(err) {
		return &inputError{fmt.Errorf("the cluster has no token %s\nhint: %s token list", id, cmd.Root().Name())}
	}
	if err != nil {
		return fmt.Errorf("delete token %s: %w", id, err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "bootstrap token %q deleted\n", id)
	return err
}

// tokenID is the first half of a token, or that half itself. What is neither is not repeated: it may be half a secret.
func tokenID(arg string) (string, error) {
	if regexp.MustCompile(`^[a-z0-9]{6}$`).MatchString(arg) {
		return arg, nil
	}
	token, err := bootstrap.ParseToken(arg)
	if err != nil {
		return "", errors.New("what is given is neither a token nor the ID of one: 6 and 16 of a-z and 0-9 with a dot between, or the first 6")
	}
	return token.ID, nil
}
