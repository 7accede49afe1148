package main

import (
	"log/slog"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/agent"
	"tripod.dev/tripod/internal/host"
)

// newAgentCommand runs the embedded agent in the foreground.
func newAgentCommand() *cobra.Command {
	var o agent.Options
	cmd := &cobra.Command{
		Use:   "agent --manifests DIR --bin-dir DIR --state DIR",
		Short: "Run static pods as plain processes, without kubelet, containers or root",
		Long: `Run the static pods of a manifest directory as the kubelet does, with plain
processes instead of containers. A pod's program is that of the binary directory with
the name of its command, or of that which its annotation tripod.dev/bin-dir names. What a
plain process can not have is refused by the field's name.

When the agent ends, its processes go on; the next agent takes them over.`,
		Example: "  tripod agent --manifests ./manifests --bin-dir bin/components/v1.36.3 --state ./agent",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			debug.SetGCPercent(100) // unlike the others it lives as long as its pods
			host.RaiseOpenFiles()   // for them, too
			o.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			return agent.Run(ctx, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Manifests, "manifests", "", "the `directory` of static pods")
	flags.StringVar(&o.BinDir, "bin-dir", "", "the `directory` of the components' binaries")
	flags.StringVar(&o.State, "state", "", "the agent's own `directory`, for logs and its socket")
	flags.StringVar(&o.Socket, "socket", "", "the unix `socket` to answer on (default agent.sock in --state)")
	flags.BoolVar(&o.StopPodsOnExit, "stop-pods-on-exit", false, "end all pods when the agent is told to end by a signal")
	for _, dir := range []string{"manifests", "bin-dir", "state"} {
		_ = cmd.MarkFlagDirname(dir)
	}
	_ = cmd.MarkFlagFilename("socket", "sock")
	require(cmd, "manifests", "bin-dir", "state")
	return cmd
}
