package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

func newEtcdCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "etcd",
		Short: "Look after the members of a cluster's etcd",
		Long: `Every master has an etcd member. These commands run on any master that is still there, as root: they find
its member by its static pod, and the others by what that one knows of them, even while it is dead.
Elsewhere --endpoints and --cert-dir say where and by what to ask.`,
		Example: `  tripod etcd status
  tripod etcd member list`,
	}
	cmd.AddCommand(newEtcdStatus(), newEtcdMember())
	return cmd
}

func newEtcdMember() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "member",
		Short: "List etcd's members, and remove those that are gone for good",
		Example: `  tripod etcd member list
  tripod etcd member remove m3`,
	}
	cmd.AddCommand(newEtcdMemberList(), newEtcdMemberRemove())
	return cmd
}

// unhealthyError is something that was asked for its health, and is not well.
type unhealthyError struct{ error }

func (e *unhealthyError) Unwrap() error { return e.error }

// newEtcdStatus is for people and for those who watch: its exit code says whether all is well.
func newEtcdStatus() *cobra.Command {
	var f etcdFlags
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say whether etcd has its quorum, and how many members may still fail",
		Long: `status asks every member for a linearizable read. The exit code is 4 where the quorum is lost, an alarm is
raised or the members disagree about who they are, and where a member is not healthy.`,
		Example: `  tripod etcd status
  tripod etcd status -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.survey(cmd)
			if err != nil {
				return err
			}
			if f.output == "json" {
				err = printJSON(cmd.OutOrStdout(), documentOf(c))
			} else {
				err = etcdStatus(cmd.OutOrStdout(), c)
			}
			if sick := unwell(c); err == nil && sick != nil {
				return &unhealthyError{sick}
			}
			return err
		},
	}
	f.add(cmd)
	return cmd
}

// unwell is why a cluster is not as it should be.
func unwell(c etcd.Cluster) error {
	if err := c.Steady(); err != nil {
		return err
	}
	for _, p := range c.Members {
		if p.Err != nil {
			return fmt.Errorf("etcd member %s is not healthy: %w", p, p.Err)
		}
		if !p.Expired.IsZero() {
			return fmt.Errorf("etcd member %s: %s\nhint: tripod certs renew all on each master, one after the other", p, reasonOf(p))
		}
	}
	return nil
}

// etcdFlags say how etcd is reached.
type etcdFlags struct {
	endpoints []string
	certDir   string
	output    string

	// trust is by what members are asked, here this machine's member; survey sets them.
	trust *tls.Config
	here  phases.EtcdHere
}

func (f *etcdFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.endpoints, "endpoints", nil, "`URLs` of members, https://HOST:2379, of which one has to answer (default: what this master knows)")
	cmd.Flags().StringVar(&f.certDir, "cert-dir", "", "`directory` with etcd/ca.crt and etcd/healthcheck-client.{crt,key} (default: this master's)")
	addOutput(cmd, &f.output, "text or json", "text", "json")
	_ = cmd.MarkFlagDirname("cert-dir")
	_ = cmd.RegisterFlagCompletionFunc("endpoints", cobra.NoFileCompletions)
}

// survey asks etcd's members how they are.
func (f *etcdFlags) survey(cmd *cobra.Command) (etcd.Cluster, error) {
	if err := oneOf("output", f.output, "text", "json"); err != nil {
		return etcd.Cluster{}, err
	}
	if err := f.find(); err != nil {
		return etcd.Cluster{}, &inputError{err}
	}
	return f.ask(cmd.Context())
}

func (f *etcdFlags) ask(ctx context.Context) (etcd.Cluster, error) {
	c, err := etcd.Survey(ctx, f.endpoints, f.trust)
	if err != nil {
		return c, fmt.Errorf("no etcd member answers: %s\nhint: run it on another master, or name one with --endpoints", strings.Join(phases.Reasons(err), "; "))
	}
	return c, nil
}

// find finds out how etcd is reached, as far as the flags do not say it.
func (f *etcdFlags) find() (err error) {
	h, c := host.Open("/"), config.Config{Paths: config.PathsUnder("/")}
	f.here, err = phases.ReadEtcdHere(h, c)
	if err != nil && (f.certDir == "" || len(f.endpoints) == 0) {
		return err
	}
	pki := f.certDir
	if pki == "" {
		pki = f.here.CertDir(c)
	}
	if len(f.endpoints) == 0 {
		f.endpoints = f.here.Members(h, c)
	}
	if f.trust, err = phases.EtcdTrust(h, pki); errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w\nhint: run it as root", err)
	} else if err != nil {
		return fmt.Errorf("%w\nhint: run it on a master, or give --cert-dir", err)
	}
	return nil
}
