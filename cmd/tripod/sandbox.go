package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/agent"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/internal/sandbox"
	"tripod.dev/tripod/phases"
)

// sandboxFlags are the flags that the verbs of sandbox share.
type sandboxFlags struct {
	name, output string
}

func newSandboxCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "A real control plane on this machine, without root",
		Long: `A sandbox is a real control plane on this machine without root, container runtime or kubelet: one master
or several, whose components are host processes at addresses of their own in 127.0.0.0/8, brought up by
the same phases as anywhere. Several masters have a balancer in front of them, whose address outlives any
one of them. Several sandboxes run side by side.`,
		Example: `  tripod sandbox up --masters 3
  kubectl --kubeconfig <(tripod sandbox kubeconfig) get --raw='/readyz?verbose'
  tripod sandbox stop m1
  tripod sandbox down`,
	}
	cmd.AddCommand(newSandboxUp(), newSandboxDown(), newSandboxStart(), newSandboxStop(), newSandboxStatus(), newSandboxList(), newSandboxKubeconfig(),
		newSandboxApply(), newSandboxRenew(), newSandboxUpgrade(), newSandboxBalancer())
	wordSandbox(cmd)
	return cmd
}

func (f *sandboxFlags) addName(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.name, "name", "tripod", "`name` of the sandbox")
	_ = cmd.RegisterFlagCompletionFunc("name", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		if folder, err := sandbox.Folder(); err == nil {
			all, _ := sandbox.List(folder)
			for _, s := range all {
				names = append(names, s.Name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
}

func (f *sandboxFlags) addOutput(cmd *cobra.Command, about string) {
	addOutput(cmd, &f.output, about, "text", "json")
}

// load reads the sandbox that --name means.
func (f *sandboxFlags) load() (sandbox.Sandbox, error) {
	folder, err := sandbox.Folder()
	if err != nil {
		return sandbox.Sandbox{}, err
	}
	s, err := sandbox.Load(folder, f.name)
	if errors.Is(err, sandbox.ErrNotFound) {
		return s, &inputError{fmt.Errorf("%w\nhint: tripod sandbox list shows those that there are, tripod sandbox up --name %s makes it", err, f.name)}
	}
	return s, err
}

func newSandboxKubeconfig() *cobra.Command {
	var f sandboxFlags
	cmd := &cobra.Command{
		Use:     "kubeconfig",
		Short:   "Print the administrator's kubeconfig",
		Example: "  tripod sandbox kubeconfig --name a > a.conf",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := f.load()
			if err != nil {
				return err
			}
			data, err := os.ReadFile(adminConf(s))
			if err != nil {
				return fmt.Errorf("%w\nhint: run tripod sandbox up --name %s again", err, s.Name)
			}
			_, err = cmd.OutOrStdout().Write(data)
			return err
		},
	}
	f.addName(cmd)
	return cmd
}

func newSandboxList() *cobra.Command {
	var f sandboxFlags
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the sandboxes",
		Example: "  tripod sandbox list -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			folder, err := sandbox.Folder()
			if err != nil {
				return err
			}
			all, damaged := sandbox.List(folder)
			if err := f.list(cmd, all); err != nil {
				return err
			}
			return damaged
		},
	}
	f.addOutput(cmd, "text or json")
	return cmd
}

func (f *sandboxFlags) list(cmd *cobra.Command, all []sandbox.Sandbox) error {
	if err := oneOf("output", f.output, "text", "json"); err != nil {
		return err
	}
	if f.output == "json" {
		if all == nil {
			all = []sandbox.Sandbox{}
		}
		return printJSON(cmd.OutOrStdout(), all)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "NAME\tVERSION\tMASTERS\tADDRESS\tCREATED")
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Name, versions(s), names(s.Masters), s.Address(), s.Created.Local().Format(time.DateTime))
	}
	return w.Flush()
}

func newSandboxDown() *cobra.Command {
	var f sandboxFlags
	cmd := &cobra.Command{
		Use:     "down",
		Short:   "Stop a sandbox and remove all that it had",
		Example: "  tripod sandbox down --name a",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			folder, err := sandbox.Folder()
			if err != nil {
				return err
			}
			s, err := sandbox.Load(folder, f.name)
			var damaged *sandbox.Damaged
			switch {
			case errors.As(err, &damaged):
				s = damaged.Found
			case errors.Is(err, sandbox.ErrNotFound):
				if s = sandbox.Remains(folder, f.name); len(s.Masters) == 0 {
					fmt.Fprintf(cmd.OutOrStdout(), "There is no sandbox %s: nothing to do.\n", f.name)
					return nil
				}
			case err != nil:
				return err
			}
			return down(cmd.Context(), s, cmd.OutOrStdout())
		},
	}
	f.addName(cmd)
	return cmd
}

func down(ctx context.Context, s sandbox.Sandbox, w io.Writer) error {
	if err := shutdown(ctx, s, s.Masters); err != nil {
		return err
	}
	if _, err := os.Stat(s.Balancer()); err == nil {
		if err := agent.Shutdown(ctx, balancerAgent(s)); err != nil {
			return fmt.Errorf("stopping the balancer: %w", err)
		}
	}
	if err := s.Remove(); err != nil {
		return err
	}
	fmt.Fprintf(w, "Sandbox %s is gone.\n", s.Name)
	return nil
}

// agentOptions are how the agent of a sandbox's master runs.
func agentOptions(s sandbox.Sandbox, m sandbox.Master) agent.Options {
	dir := filepath.Join(s.Root(m), "agent")
	return agent.Options{Manifests: s.Paths(m).Manifests, BinDir: s.BinDir, State: dir, Socket: filepath.Join(dir, "agent.sock")}
}

// adminConf is the administrator's kubeconfig. That of one master is as good as another's.
func adminConf(s sandbox.Sandbox) string { return adminConfOf(s, elder(s)) }

func adminConfOf(s sandbox.Sandbox, m sandbox.Master) string {
	return filepath.Join(s.Paths(m).Kubernetes, "admin.conf")
}

// elder is the first master that has all that masters share, of which that file comes last; the first one if none has.
func elder(s sandbox.Sandbox) sandbox.Master {
	for _, m := range s.Masters {
		if _, err := os.Stat(adminConfOf(s, m)); err == nil {
			return m
		}
	}
	return s.Masters[0]
}

// agentRunner runs the pods of a sandbox's master: Start starts its agent where none answers.
type agentRunner struct {
	agent.Client
	options agent.Options
}

// Start starts the agent, or nudges the one that runs.
func (r agentRunner) Start(ctx context.Context) error {
	err := r.Alive(ctx)
	if err == nil {
		return r.Client.Start(ctx)
	}
	if errors.Is(err, host.ErrHangs) {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	return agent.StartDaemon(ctx, exe, r.options)
}

// sandboxSite is where a sandbox's master is brought up.
func sandboxSite(s sandbox.Sandbox, m sandbox.Master) phases.Site {
	return agentSite(agentOptions(s, m))
}

// agentSite is where the agent of the options runs the pods.
func agentSite(o agent.Options) phases.Site {
	return phases.Site{Host: host.Open("/"), Runner: agentRunner{Client: agent.Client{Socket: o.Socket}, options: o}}
}
