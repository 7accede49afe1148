package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

func newEtcdMemberList() *cobra.Command {
	var f etcdFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List etcd's members, each with its health or why it is not healthy",
		Example: `  tripod etcd member list
  tripod etcd member list -o json
  tripod etcd member list --endpoints https://127.66.0.2:2379 --cert-dir /tmp/pki   # of a sandbox`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.survey(cmd)
			if err != nil {
				return err
			}
			return f.list(cmd, c)
		},
	}
	f.add(cmd)
	return cmd
}

// list prints the members.
func (f *etcdFlags) list(cmd *cobra.Command, c etcd.Cluster) error {
	if f.output == "json" {
		return printJSON(cmd.OutOrStdout(), documentOf(c))
	}
	return memberTable(cmd.OutOrStdout(), c)
}

func newEtcdMemberRemove() *cobra.Command {
	var f etcdFlags
	cmd := &cobra.Command{
		Use:   "remove NAME|ID",
		Short: "Remove a member that is gone for good",
		Long: `remove takes a member out of etcd, in its turn if another master is changing members just now. It does so only
if those that remain and are healthy are a majority of those that remain; otherwise it says who is not,
and changes nothing. To take out this master's own member while it is healthy is what reset is for.`,
		Example: `  tripod etcd member remove m3
  tripod etcd member remove 8e9e05c52164694d   # one that has never started has no name`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("%s takes the name or the ID of a member\nhint: %s etcd member list", cmd.CommandPath(), cmd.Root().Name())
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.survey(cmd)
			if err != nil {
				return err
			}
			return f.remove(cmd, c, args[0])
		},
	}
	f.add(cmd)
	return cmd
}

// remove takes the member out that is called so, and shows who is left.
func (f *etcdFlags) remove(cmd *cobra.Command, c etcd.Cluster, called string) error {
	p, err := memberCalled(c, called)
	if err != nil {
		return &inputError{err}
	}
	if f.here.Is(p) && p.Err == nil {
		return &inputError{fmt.Errorf("%s is this master's own etcd member, and healthy\nhint: %s reset takes this master out of the cluster", p, cmd.Root().Name())}
	}
	if err := c.MayRemove(p.ID); err != nil {
		return &phases.PreflightError{Err: err}
	}
	gone := []string{fmt.Sprintf("remove etcd member %s (%s)", p, etcd.FormatID(p.ID))}
	if err := noted(ofMachine(), "etcd member remove", gone, func() error { return f.drop(cmd, c, p) }); err != nil {
		return err
	}
	now, err := f.left(cmd.Context(), c, p)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "etcd member %s (%s) is removed\n", p, etcd.FormatID(p.ID))
	if p.Err == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "hint: its master still counts on it: %s reset --skip-phases remove-etcd-member there\n", cmd.Root().Name())
	}
	return f.list(cmd, now)
}

// drop removes the member under the lock, if it may go by then.
func (f *etcdFlags) drop(cmd *cobra.Command, c etcd.Cluster, p etcd.Peer) error {
	voters, err := c.Connect(f.trust)
	if err != nil {
		return err
	}
	defer voters.Close()
	tell := onEachOnce(cmd.ErrOrStderr())
	// The process is part of who holds the lock: nothing keeps two of these on one machine apart.
	name, _ := os.Hostname()
	holder := etcd.Holder{Node: cmp.Or(f.here.Name, name), Address: fmt.Sprintf("process %d", os.Getpid()), Verb: "etcd member remove", Since: host.Now()}
	lock, err := voters.Lock(cmd.Context(), holder, nil, tell)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	ctx := lock.Context()
	now, err := etcd.Survey(ctx, c.Endpoints(), f.trust)
	if err != nil {
		return err
	}
	if _, there := now.ByID(p.ID); !there {
		return nil // whoever had the lock before has done it
	}
	if err := now.MayRemove(p.ID); err != nil {
		return &phases.PreflightError{Err: err}
	}
	if err := lock.Held(ctx); err != nil {
		return err
	}
	return now.Drop(ctx, p.ID, f.trust, tell)
}

// onEachOnce writes each reason for a wait once.
func onEachOnce(to io.Writer) func(reason string) {
	var told sync.Map
	return func(reason string) {
		if _, before := told.LoadOrStore(reason, true); !before {
			fmt.Fprintln(to, "waiting:", reason)
		}
	}
}

// left are those who remain.
func (f *etcdFlags) left(ctx context.Context, c etcd.Cluster, gone etcd.Peer) (etcd.Cluster, error) {
	c.Members = slices.DeleteFunc(slices.Clone(c.Members), func(p etcd.Peer) bool { return p.ID == gone.ID })
	return etcd.Survey(ctx, c.Endpoints(), f.trust)
}

// memberCalled is the one member of that name or ID.
func memberCalled(c etcd.Cluster, called string) (etcd.Peer, error) {
	id := strings.TrimPrefix(strings.ToLower(called), "0x")
	var found []etcd.Peer
	var known []string
	for _, p := range c.Members {
		known = append(known, fmt.Sprintf("%s (%s)", cmp.Or(p.Name, "without a name"), etcd.FormatID(p.ID)))
		if p.Name == called || etcd.FormatID(p.ID) == id {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return etcd.Peer{}, fmt.Errorf("etcd has no member %q\nhint: there are %s", called, strings.Join(known, ", "))
	}
	return etcd.Peer{}, fmt.Errorf("etcd has %d members called %q\nhint: give the ID of one: there are %s", len(found), called, strings.Join(known, ", "))
}
