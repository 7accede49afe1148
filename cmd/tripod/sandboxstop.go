package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/agent"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/internal/sandbox"
)

func newSandboxStop() *cobra.Command {
	var f sandboxFlags
	cmd := f.ofMasters(&cobra.Command{
		Use:   "stop MASTER...",
		Short: "Stop masters of a sandbox, to try a failure",
		Long: `stop ends the agent of a master and all that runs there, as when a machine is switched off. Nothing of it is
lost: "sandbox start" or "sandbox up" brings it back. etcd answers as long as more than half of the masters run.`,
		Example: "  tripod sandbox stop m1\n  tripod sandbox stop --name a m1 m2",
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, chosen, err := f.chosen(args)
		if err != nil {
			return err
		}
		if err := stop(cmd.Context(), &s, chosen); err != nil {
			return err
		}
		return stopped(cmd.OutOrStdout(), s, chosen)
	}
	return cmd
}

// stop ends what runs on masters, on all of them at once: an apiserver that has lost its etcd's majority takes half a
// minute to end. That it is on purpose is written down before.
func stop(ctx context.Context, s *sandbox.Sandbox, chosen []sandbox.Master) error {
	for _, m := range chosen {
		unlock, err := lockMaster(*s, m)
		if err != nil {
			return err
		}
		defer unlock()
	}
	err := s.Change(func(now *sandbox.Sandbox) {
		for _, m := range chosen {
			now.SetStopped(m.Name, true)
		}
	})
	if err != nil {
		return err
	}
	return shutdown(ctx, *s, chosen)
}

// shutdown ends the agents of masters and all that runs there.
func shutdown(ctx context.Context, s sandbox.Sandbox, masters []sandbox.Master) error {
	var all multierror.Group
	for _, m := range masters {
		all.Go(func() error {
			if err := agent.Shutdown(ctx, agentOptions(s, m)); err != nil {
				return fmt.Errorf("stopping %s: %w", s.Node(m), err)
			}
			return nil
		})
	}
	return all.Wait().ErrorOrNil()
}

// lockMaster keeps other tripods from a master.
func lockMaster(s sandbox.Sandbox, m sandbox.Master) (unlock func(), err error) {
	h, state := host.Open("/"), s.Paths(m).State
	if err := h.Mkdir(state, 0o700); err != nil {
		return nil, err
	}
	return h.Lock(filepath.Join(state, "lock"))
}

// stopped says what is left.
func stopped(w io.Writer, s sandbox.Sandbox, chosen []sandbox.Master) error {
	left := 0
	for _, m := range s.Masters {
		if !m.Stopped {
			left++
		}
	}
	text := fmt.Sprintf("%s stopped; %d of %d masters run.", names(chosen), left, len(s.Masters))
	if left <= len(s.Masters)/2 {
		text += " etcd has no majority: nothing can be written, and hardly anything read."
	}
	_, err := fmt.Fprintf(w, "%s\nTo bring it back: tripod sandbox start --name %s %s\n", text, s.Name, names(chosen))
	return err
}

func names(masters []sandbox.Master) string {
	var all []string
	for _, m := range masters {
		all = append(all, m.Name)
	}
	return strings.Join(all, " ")
}

func newSandboxStart() *cobra.Command {
	var f sandboxFlags
	cmd := f.ofMasters(&cobra.Command{
		Use:     "start MASTER...",
		Short:   "Start masters of a sandbox that were stopped",
		Long:    `start brings masters back that were stopped, and returns when all that runs there is proved healthy.`,
		Example: "  tripod sandbox start m1\n  tripod sandbox start --name a m1 m2",
	})
	f.addOutput(cmd, "text, or json: one event a line")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := oneOf("output", f.output, "text", "json"); err != nil {
			return err
		}
		s, chosen, err := f.chosen(args)
		if err != nil {
			return err
		}
		return f.start(cmd.Context(), cmd.OutOrStdout(), s, chosen)
	}
	return cmd
}

// start is up for some of the masters. Those that have been up come back as they are.
func (f *sandboxFlags) start(ctx context.Context, out io.Writer, s sandbox.Sandbox, chosen []sandbox.Master) error {
	r := newRaising("sandbox start", &s, newProgress(out, f.output))
	r.begin = func() error {
		return s.Change(func(now *sandbox.Sandbox) {
			for _, m := range chosen {
				now.SetStopped(m.Name, false)
			}
		})
	}
	err := r.again(ctx, chosen)
	r.progress.close()
	if err != nil || f.output == "json" {
		return err
	}
	r.durations(out)
	return statusTable(out, status(ctx, s))
}

// again brings up masters, by the configuration that the sandbox was made with where one of them has not been up yet and is
// to found the cluster.
func (r *raising) again(ctx context.Context, chosen []sandbox.Master) error {
	_, fresh := r.split(chosen)
	if len(fresh) > 0 && r.sandbox.Upgrade != nil {
		return &inputError{unfinished(*r.sandbox)}
	}
	if slices.ContainsFunc(fresh, func(m sandbox.Master) bool { return founds(*r.sandbox, m) }) {
		cfg, warnings, err := firstConfig(r.sandbox, "")
		if err != nil {
			return &inputError{err}
		}
		r.first = cfg
		r.warn(warnings)
	}
	return r.masters(ctx, chosen)
}

// ofMasters completes a command whose arguments are masters.
func (f *sandboxFlags) ofMasters(cmd *cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("%s takes the name of a master, m1 or m2\nhint: tripod sandbox status lists them", cmd.CommandPath())
		}
		return nil
	}
	cmd.ValidArgsFunction = func(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
		var rest []string
		s, _ := f.load()
		for _, m := range s.Masters {
			if !slices.Contains(given, m.Name) {
				rest = append(rest, m.Name)
			}
		}
		return rest, cobra.ShellCompDirectiveNoFileComp
	}
	f.addName(cmd)
	return cmd
}

// chosen are the sandbox and the masters of it that arguments name.
func (f *sandboxFlags) chosen(args []string) (sandbox.Sandbox, []sandbox.Master, error) {
	s, err := f.load()
	if err != nil {
		return s, nil, err
	}
	var chosen []sandbox.Master
	for _, name := range args {
		m, ok := s.Master(name)
		if !ok {
			return s, nil, &inputError{fmt.Errorf("sandbox %s has no master %q\nhint: it has %s", s.Name, name, names(s.Masters))}
		}
		if !slices.Contains(chosen, m) {
			chosen = append(chosen, m)
		}
	}
	return s, chosen, nil
}
