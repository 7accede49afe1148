package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

// initCommand is tripod init, with its phases below it.
type initCommand struct {
	overrides config.Overrides
	show      showPlan
}

func newInitCommand() *cobra.Command {
	var c initCommand
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Bring up the first master of a cluster",
		Long: `init makes this machine the first master of a cluster: certificates, kubeconfigs, the kubelet,
and etcd, kube-apiserver, kube-controller-manager and kube-scheduler as static pods, each proved
healthy before the next one needs it. Run again after an interruption it goes on; run again on
a healthy master it changes nothing.

The phases, in order:
` + phaseList(phases.Init()),
		Example: `  tripod init --config master.yaml --diff     # what would be done
  tripod init --config master.yaml
  tripod init --dry-run --write-to /tmp/look  # the files, to look at, without root`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd, phases.Init()) },
	}
	c.addFlags(cmd)
	cmd.AddCommand(newInitPhase())
	return cmd
}

func (c *initCommand) addFlags(cmd *cobra.Command) {
	c.overrides.AddFlags(cmd.Flags())
	cmd.Flags().BoolVar(&c.show.diff, "diff", false, "show what would change, line by line, and do nothing")
	cmd.Flags().StringVar(&c.show.writeTo, "write-to", "", "with --dry-run: a `directory` that gets the files as they would lie on the machine")
	addOutput(cmd, &c.show.output, "text, or json: one event a line, or the plan as one document", "text", "json")
	_ = cmd.RegisterFlagCompletionFunc("skip-phases", completePhases)
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	for _, dir := range []string{"cert-dir", "patches", "write-to"} {
		_ = cmd.MarkFlagDirname(dir)
	}
}

// run brings the master up with the phases of list, or shows the plan.
func (c *initCommand) run(cmd *cobra.Command, list []phases.Phase) error {
	if err := oneOf("output", c.show.output, "text", "json"); err != nil {
		return err
	}
	cfg, warnings, err := c.load()
	if err != nil {
		return &inputError{err}
	}
	list, unknown := phases.Without(list, cfg.Node.SkipPhases)
	if len(unknown) > 0 {
		return &inputError{fmt.Errorf("--skip-phases: no phase is called %s\nhint: tripod init phase list", strings.Join(unknown, " or "))}
	}
	c.show.to, c.show.notes, c.show.dryRun = cmd.OutOrStdout(), cmd.ErrOrStderr(), cfg.Node.DryRun
	if c.show.writeTo != "" && !c.show.dryRun {
		return &inputError{fmt.Errorf("--write-to goes with --dry-run")}
	}
	site, err := realSite(cfg)
	if err != nil {
		return err
	}
	defer site.Kubelet.Close()
	b := bringUp{verb: "init", config: cfg, site: site, list: list, show: c.show}
	return c.bringUp(cmd.Context(), b, append(warnings, withoutEffect(cmd)...))
}

// withoutEffect are warnings of flags that are taken because kubeadm has them, and have nothing to act on yet.
func withoutEffect(cmd *cobra.Command) []string {
	var warnings []string
	for _, name := range []string{"upload-certs", "certificate-key", "token", "token-ttl"} {
		if cmd.Flags().Changed(name) {
			warnings = append(warnings, "--"+name+" has no effect: this version uploads neither tokens nor certificates to the cluster")
		}
	}
	return warnings
}

func (c *initCommand) bringUp(ctx context.Context, b bringUp, warnings []string) error {
	b.progress = newProgress(c.show.to, c.show.output)
	for _, w := range warnings {
		b.progress.tell(phases.Event{Kind: phases.Warned, Phase: "config", Text: w})
	}
	ended, took, err := b.run(ctx)
	b.progress.close()
	if err != nil || c.show.output == "json" || c.show.wanted() {
		return err
	}
	durations(c.show.to, ended, took)
	if up(ended) {
		fmt.Fprintf(c.show.to, "\nThis master is up. To use it:\n  export KUBECONFIG=%s/admin.conf\n  kubectl get --raw='/readyz?verbose'\n", b.config.Paths.Kubernetes)
	}
	return nil
}

// up says whether the run ended with the proof of a whole master, and not with one of its phases.
func up(ended []phases.Event) bool {
	all, last := phases.Init(), len(ended)-1
	return last >= 0 && ended[last].Kind == phases.Proved && ended[last].Phase == all[len(all)-1].Name
}

// load reads the configuration file and the flags.
func (c *initCommand) load() (config.Config, []string, error) {
	h := host.Open("/")
	name, err := h.Hostname()
	if err != nil {
		return config.Config{}, nil, err
	}
	machine := config.Machine{Hostname: name, DefaultIP: h.DefaultIP(), CRISockets: h.CRISockets(), Token: newToken()}
	var data []byte
	if file := c.overrides.ConfigFile; file != "" {
		if data, err = os.ReadFile(file); err != nil {
			return config.Config{}, nil, err
		}
	}
	return config.Load(data, c.overrides.ConfigFile, c.overrides, machine)
}

// newToken draws a bootstrap token.
func newToken() string {
	text := strings.ToLower(rand.Text())
	return text[:6] + "." + text[6:22]
}

func newInitPhase() *cobra.Command {
	var c initCommand
	cmd := &cobra.Command{
		Use:   "phase NAME",
		Short: "Run one phase of init, or a group of phases",
		Long: `phase runs one phase of init, or all of a group. A component is proved healthy if a kubelet runs
that can start it; without one only its files are written. tripod init phase list prints the names.`,
		Example: `  tripod init phase list
  tripod init phase certs
  tripod init phase certs apiserver   # or certs/apiserver`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) > 2 {
				return fmt.Errorf("phase takes the name of a phase\nhint: tripod init phase list")
			}
			return nil
		},
		ValidArgsFunction: completePhases,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := strings.Join(args, "/")
			if name == "list" {
				fmt.Fprint(cmd.OutOrStdout(), phaseList(phases.Init()))
				return nil
			}
			list := phases.Only(phases.Init(), name)
			if len(list) == 0 {
				return &inputError{fmt.Errorf("no phase is called %s\nhint: tripod init phase list", name)}
			}
			return c.run(cmd, list)
		},
	}
	c.addFlags(cmd)
	return cmd
}

// phaseList is a line a phase, groups above their phases.
func phaseList(list []phases.Phase) string {
	var b strings.Builder
	group := ""
	for _, p := range list {
		name := p.Name
		if p.Group() != p.Name {
			if p.Group() != group {
				fmt.Fprintf(&b, "  %s\n", p.Group())
			}
			name = "  /" + strings.TrimPrefix(p.Name, p.Group()+"/")
		}
		group = p.Group()
		fmt.Fprintf(&b, "  %-28s %s\n", name, p.About)
	}
	return b.String()
}

// completePhases are the names of phases and of their groups.
func completePhases(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, p := range phases.Init() {
		names = append(names, p.Group(), p.Name)
	}
	return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
}
