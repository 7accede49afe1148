// Command tripod brings up and looks after stacked-etcd Kubernetes control planes made of
// static pods. One file per verb; only this package prints and exits. Called by the name of kubeadm
// it has the same verbs and flags, and what it prints is what those who drive kubeadm look for.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/discovery"
	"tripod.dev/tripod/phases"
)

// The exit codes, as docs/commands.md has them.
const (
	exitFailed    = 1
	exitInput     = 2
	exitPreflight = 3
	exitUnhealthy = 4
)

// version is set by the build.
var version = "v0.0.0-dev"

func main() {
	// tripod mostly lives for seconds: to collect its few megabytes costs a quarter of all its computing.
	debug.SetGCPercent(400)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends tripod there and then, but for who goes back: interruptedAgain
	if err := newCommand(programName(os.Args[0]), os.Stdout, os.Stderr).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, errorText(os.Stderr, interrupted(ctx, err)))
		os.Exit(exitCode(err))
	}
}

// interrupted is err with what to do, if it is that of a signal.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil || exitCode(err) != exitFailed {
		return err
	}
	return fmt.Errorf("%w\nhint: run the same command again, it goes on from here", context.Cause(ctx))
}

// newCommand is the whole command line, under the name of program.
func newCommand(program string, stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   program,
		Short: "Bring up and look after stacked-etcd Kubernetes control planes made of static pods",
		Long: `tripod brings up Kubernetes clusters: on every master etcd, kube-apiserver,
kube-controller-manager and kube-scheduler as static pods, proved healthy before it returns.
It speaks kubeadm's interface: verbs, flags, configuration, files, names.`,
		Example: `  tripod sandbox up                      # a real master on this machine, without root
  tripod init --config master.yaml       # the first master of a cluster, with the kubelet
  tripod init --config master.yaml --diff
  tripod token create --print-join-command`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       shortVersion(program),
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &inputError{fmt.Errorf("%w\nhint: %s --help lists the flags", err, cmd.CommandPath())}
	})
	root.AddCommand(newInitCommand(), newJoinCommand(), newResetCommand(), newConfigCommand(), newSandboxCommand(), newAgentCommand(), newVersionCommand(),
		newTokenCommand(), newCertsCommand(), newKubeconfigCommand(), newEtcdCommand(),
		newUpgradeCommand(), newApplyCommand(), newRollbackCommand(), newHistoryCommand())
	root.AddCommand(refusedVerbs()...)
	addGlobalFlags(root)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	strict(root)
	rename(root, program)
	return root
}

// inputError is a command line or a configuration that can't be taken.
type inputError struct{ error }

func (e *inputError) Unwrap() error { return e.error }

// exitCode is what an error ends tripod with.
func exitCode(err error) int {
	var (
		input      *inputError
		given      *phases.InputError
		preflight  *phases.PreflightError
		unhealthy  *phases.UnhealthyError
		back       *phases.WentBackError
		unwell     *unhealthyError
		discovered *discovery.Error
	)
	switch {
	case errors.As(err, &input), errors.As(err, &given):
		return exitInput
	case errors.As(err, &preflight):
		return exitPreflight
	case errors.As(err, &unhealthy), errors.As(err, &unwell), errors.As(err, &back):
		return exitUnhealthy
	case errors.As(err, &discovered):
		return discoveryExit(discovered.Kind)
	}
	return exitFailed
}
