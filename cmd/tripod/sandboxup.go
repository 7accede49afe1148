package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/internal/sandbox"
	"tripod.dev/tripod/manifests"
	"tripod.dev/tripod/phases"
)

// sandboxUp is tripod sandbox up.
type sandboxUp struct {
	sandboxFlags
	version, binDir, config, patches string
	out                              io.Writer
}

func newSandboxUp() *cobra.Command {
	var u sandboxUp
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring up a sandbox, or see that one is well",
		Long: `up brings up a sandbox with one master and returns when etcd, kube-apiserver,
kube-controller-manager and kube-scheduler are proved healthy. On a sandbox that is up it changes nothing;
what has stopped is started again.`,
		Example: `  tripod sandbox up
  tripod sandbox up --name old --kubernetes-version v1.35.4 --bin-dir bin/components/v1.35.4`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			u.out = cmd.OutOrStdout()
			return u.run(cmd.Context())
		},
	}
	u.addName(cmd)
	u.addOutput(cmd, "text, or json: one event a line")
	cmd.Flags().StringVar(&u.version, "kubernetes-version", "", "`version` of Kubernetes (default: that of the sandbox, or the newest known)")
	cmd.Flags().StringVar(&u.binDir, "bin-dir", "", "`directory` of the component binaries (default: components/VERSION beside tripod)")
	cmd.Flags().StringVar(&u.config, "config", "", "`file` with a ClusterConfiguration, for what should differ from the defaults")
	cmd.Flags().StringVar(&u.patches, "patches", "", "`directory` of patches for the manifests")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	_ = cmd.MarkFlagDirname("bin-dir")
	_ = cmd.MarkFlagDirname("patches")
	return cmd
}

func (u *sandboxUp) run(ctx context.Context) error {
	if err := oneOf("output", u.output, "text", "json"); err != nil {
		return err
	}
	s, err := u.sandbox()
	if err != nil {
		return err
	}
	m := s.Masters[0]
	cfg, warnings, err := u.load(&s, m)
	if err != nil {
		return &inputError{err}
	}
	if err := u.binaries(&s, cfg); err != nil {
		return &inputError{err}
	}
	site := sandboxSite(s, m)
	b := bringUp{verb: "sandbox up", config: cfg, site: site, list: phases.Init(), rootless: true, progress: newProgress(u.out, u.output), begin: s.Save}
	for _, w := range warnings {
		b.progress.tell(phases.Event{Time: time.Now(), Kind: phases.Warned, Phase: "config", Text: w})
	}
	ended, took, err := b.run(ctx)
	b.progress.close()
	if err != nil || u.output == "json" {
		return err
	}
	durations(u.out, ended, took)
	return u.summary(ctx, s, cfg.Advertise)
}

// sandbox is the one of that name, or a new one.
func (u *sandboxUp) sandbox() (sandbox.Sandbox, error) {
	folder, err := sandbox.Folder()
	if err != nil {
		return sandbox.Sandbox{}, err
	}
	s, err := sandbox.Load(folder, u.name)
	if errors.Is(err, sandbox.ErrNotFound) {
		if s, err = sandbox.New(folder, u.name); err != nil {
			err = &inputError{err}
		}
	}
	return s, err
}

// load is the configuration of the sandbox's master: the file's, if there is one, with the sandbox's own
// node name and address.
func (u *sandboxUp) load(s *sandbox.Sandbox, m sandbox.Master) (config.Config, []string, error) {
	o := config.Overrides{
		Root: s.Root(m), Loopback: m.Address, NodeName: s.Node(m), AdvertiseAddress: m.Address.String(),
		Patches: u.patches, KubernetesVersion: u.version,
	}
	if o.KubernetesVersion == "" {
		o.KubernetesVersion = s.KubernetesVersion
	}
	var data []byte
	if u.config != "" {
		var err error
		if data, err = os.ReadFile(u.config); err != nil {
			return config.Config{}, nil, err
		}
	}
	machine := config.Machine{Hostname: s.Node(m), DefaultIP: m.Address, Token: bootstrap.DrawToken().String()}
	cfg, warnings, err := config.Load(data, u.config, o, machine)
	if err != nil {
		return cfg, warnings, err
	}
	if runs := s.KubernetesVersion; runs != "" && runs != cfg.Version.Tag() {
		return cfg, warnings, fmt.Errorf("sandbox %s runs Kubernetes %s, not %s\nhint: take it down first, or give the new one another --name", s.Name, runs, cfg.Version.Tag())
	}
	s.KubernetesVersion = cfg.Version.Tag()
	return cfg, warnings, nil
}

// binaries finds the component binaries and remembers where they are.
func (u *sandboxUp) binaries(s *sandbox.Sandbox, cfg config.Config) error {
	dir := u.binDir
	if dir == "" {
		dir = s.BinDir
	}
	if dir == "" {
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		dir = filepath.Join(filepath.Dir(exe), "components", cfg.Version.Tag())
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	var missing []string
	for _, component := range manifests.Components() {
		if info, err := os.Stat(filepath.Join(dir, component)); err != nil || info.Mode()&0o111 == 0 {
			missing = append(missing, component)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("--bin-dir %s: there is no executable %s\nhint: make components builds them", dir, strings.Join(missing, ", "))
	}
	s.BinDir = dir
	return nil
}

// summary says what runs where, and what to try.
func (u *sandboxUp) summary(ctx context.Context, s sandbox.Sandbox, apiserver netip.AddrPort) error {
	fmt.Fprintf(u.out, "\nSandbox %s is well: Kubernetes %s at https://%s\n\n", s.Name, s.KubernetesVersion, apiserver)
	if err := statusTable(u.out, status(ctx, s)); err != nil {
		return err
	}
	kubectl := filepath.Join(s.BinDir, "kubectl")
	if _, err := os.Stat(kubectl); err != nil {
		kubectl = "kubectl"
	}
	fmt.Fprintf(u.out, "\nTry:\n  %s --kubeconfig %s get --raw='/readyz?verbose'\n", kubectl, adminConf(s))
	return nil
}

func newSandboxStatus() *cobra.Command {
	var f sandboxFlags
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "What runs in a sandbox",
		Example: "  tripod sandbox status -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("output", f.output, "text", "json"); err != nil {
				return err
			}
			s, err := f.load()
			if err != nil {
				return err
			}
			rows := status(cmd.Context(), s)
			if f.output == "json" {
				return printJSON(cmd.OutOrStdout(), map[string]any{"sandbox": s, "components": rows})
			}
			return statusTable(cmd.OutOrStdout(), rows)
		},
	}
	f.addName(cmd)
	f.addOutput(cmd, "text or json")
	return cmd
}

// componentStatus is a row of status.
type componentStatus struct {
	Master    string     `json:"master"`
	Component string     `json:"component"`
	State     string     `json:"state"`
	PID       int        `json:"pid,omitempty"`
	Restarts  int        `json:"restarts"`
	Since     *time.Time `json:"since,omitempty"`
	Revision  string     `json:"revision,omitempty"`
	LastExit  *int       `json:"lastExitCode,omitempty"`
	Error     string     `json:"error,omitempty"`
}

// status asks every master's agent.
func status(ctx context.Context, s sandbox.Sandbox) []componentStatus {
	var rows []componentStatus
	for _, m := range s.Masters {
		runner := sandboxSite(s, m).Runner
		for _, component := range manifests.Components() {
			row := componentStatus{Master: s.Node(m), Component: component}
			now, err := runner.Pod(ctx, component)
			if err != nil {
				row.State, row.Error = "unknown", err.Error()
			} else {
				row.fill(now)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func (row *componentStatus) fill(now host.Running) {
	row.State, row.PID, row.Restarts, row.Revision = string(now.State), now.PID, now.Restarts, now.Revision
	if row.State == "" {
		row.State = "absent"
	}
	if !now.StartedAt.IsZero() {
		row.Since = &now.StartedAt
	}
	if now.Exit != nil {
		row.LastExit = &now.Exit.Code
	}
}

func statusTable(to io.Writer, rows []componentStatus) error {
	w := tabwriter.NewWriter(to, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "MASTER\tCOMPONENT\tSTATE\tPID\tRESTARTS\tSINCE\tREVISION")
	for _, r := range rows {
		since := "-"
		if r.Since != nil {
			since = time.Since(*r.Since).Round(time.Second).String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", r.Master, r.Component, r.State, r.PID, r.Restarts, since, r.Revision)
	}
	return w.Flush()
}
