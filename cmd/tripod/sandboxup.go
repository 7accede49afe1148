package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/sandbox"
)

// sandboxUp is tripod sandbox up.
type sandboxUp struct {
	sandboxFlags
	// masters is how many are wanted; 0 is those that there are, or one.
	masters                          int
	version, binDir, config, patches string
	out                              io.Writer
}

func newSandboxUp() *cobra.Command {
	var u sandboxUp
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring up a sandbox, or see that one is well",
		Long: `up brings up a sandbox and returns when etcd, kube-apiserver, kube-controller-manager and kube-scheduler of
every master are proved healthy. With --masters 3 it is highly available: any one master can be lost, and
with 5 any two; a balancer has the address that clients use. On a sandbox that is up it changes nothing; what
has stopped, or was stopped by "sandbox stop", is started again. A sandbox of several masters grows by a
larger --masters.`,
		Example: `  tripod sandbox up --masters 3
  tripod sandbox up --name old --kubernetes-version v1.35.4 --bin-dir bin/components/v1.35.4`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			u.out = cmd.OutOrStdout()
			if cmd.Flags().Changed("masters") && u.masters < 1 {
				return &inputError{fmt.Errorf("--masters=%d: a sandbox has one master or more", u.masters)}
			}
			return u.run(cmd.Context())
		},
	}
	u.addName(cmd)
	u.addOutput(cmd, "text, or json: one event a line")
	cmd.Flags().IntVar(&u.masters, "masters", 0, "`number` of masters, at most 9 (default: as many as there are, or one)")
	cmd.Flags().StringVar(&u.version, "kubernetes-version", "", "`version` of Kubernetes (default: that of the sandbox, or the newest known)")
	cmd.Flags().StringVar(&u.binDir, "bin-dir", "", "`directory` of the component binaries (default: components/VERSION beside tripod)")
	cmd.Flags().StringVar(&u.config, "config", "", "`file` with a ClusterConfiguration, for what should differ from the defaults")
	cmd.Flags().StringVar(&u.patches, "patches", "", "`directory` of patches for the manifests")
	_ = cmd.RegisterFlagCompletionFunc("masters", cobra.FixedCompletions([]string{"1", "3", "5"}, cobra.ShellCompDirectiveNoFileComp))
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
	r := newRaising("sandbox up", &s, newProgress(u.out, u.output))
	r.begin = func() error { return s.Change(u.record(s)) }
	if err = u.prepare(ctx, r); err == nil {
		err = r.masters(ctx, s.Masters)
	}
	r.progress.close()
	if err != nil || u.output == "json" {
		return err
	}
	r.durations(u.out)
	return u.summary(ctx, s, r.server)
}

// prepare finds out what is to run, and refuses what differs from what runs.
func (u *sandboxUp) prepare(ctx context.Context, r *raising) error {
	s := r.sandbox
	if s.Upgrade != nil {
		return &inputError{unfinished(*s)}
	}
	if one, up := known(*s); up {
		r.warn(u.even())
		return u.differs(ctx, r, one)
	}
	var err error
	if s.Config, s.Patches, err = u.given(*s); err != nil {
		return err
	}
	cfg, warnings, err := firstConfig(s, u.version)
	if err != nil {
		return &inputError{err}
	}
	if err := u.binaries(ctx, s, cfg); err != nil {
		return &inputError{err}
	}
	r.first = cfg
	r.first.Paths.Binaries = s.Binaries(s.Masters[0])
	r.warn(append(warnings, u.even()...))
	return nil
}

// known is a master that has been up, if there is one.
func known(s sandbox.Sandbox) (sandbox.Master, bool) {
	i := slices.IndexFunc(s.Masters, func(m sandbox.Master) bool { return hasBeenUp(s, m) })
	if i < 0 {
		return sandbox.Master{}, false
	}
	return s.Masters[i], true
}

// sandbox is the one of that name with as many masters as are wanted, or a new one.
func (u *sandboxUp) sandbox() (sandbox.Sandbox, error) {
	folder, err := sandbox.Folder()
	if err != nil {
		return sandbox.Sandbox{}, err
	}
	s, err := sandbox.Load(folder, u.name)
	switch {
	case errors.Is(err, sandbox.ErrNotFound):
		s, err = sandbox.New(folder, u.name, max(u.masters, 1))
	case err != nil:
		return s, err
	case u.masters > 0:
		s, err = s.Grown(u.masters)
	}
	if err != nil {
		return s, &inputError{err}
	}
	return s, nil
}

// given are the paths of what the flags name, or of what an earlier up was given: for the next run that starts a master, wherever that
// is called.
func (u *sandboxUp) given(s sandbox.Sandbox) (config, patches string, err error) {
	paths := []string{s.Config, s.Patches}
	for i, path := range []string{u.config, u.patches} {
		if path == "" {
			continue
		}
		if paths[i], err = filepath.Abs(path); err != nil {
			return "", "", err
		}
	}
	return paths[0], paths[1], nil
}

// record writes down what the sandbox is to be. What somebody else has added meanwhile stays.
func (u *sandboxUp) record(wanted sandbox.Sandbox) func(*sandbox.Sandbox) {
	return func(s *sandbox.Sandbox) {
		s.KubernetesVersion, s.BinDir, s.Config, s.Patches = wanted.KubernetesVersion, wanted.BinDir, wanted.Config, wanted.Patches
		s.Masters = append(s.Masters, wanted.Masters[min(len(s.Masters), len(wanted.Masters)):]...)
		for i := range s.Masters {
			s.Masters[i].Stopped = false
		}
	}
}

// even warns of a master that makes nothing safer.
func (u *sandboxUp) even() []string {
	if u.masters == 0 || u.masters%2 == 1 {
		return nil
	}
	return []string{fmt.Sprintf("%d masters bear the loss of %d, no more than %d do\nhint: an odd number is better", u.masters, u.masters/2-1, u.masters-1)}
}

// unfinished is the error of a sandbox in the midst of an upgrade.
func unfinished(s sandbox.Sandbox) error {
	return fmt.Errorf("the upgrade of sandbox %s to %s has not come to its end\n"+
		"hint: tripod sandbox upgrade --name %s goes on with it; with --to %s it is given up, as long as no master is upgraded", s.Name, s.Upgrade.KubernetesVersion, s.Name, s.KubernetesVersion)
}

// firstConfig is the configuration of the sandbox's first master, which the others share: that of the file, if there is one,
// with the sandbox's own names and addresses.
func firstConfig(s *sandbox.Sandbox, version string) (config.Config, []string, error) {
	m := s.Masters[0]
	o := config.Overrides{
		Root: s.Root(m), Loopback: m.Address, NodeName: s.Node(m), AdvertiseAddress: m.Address.String(),
		Patches: s.Patches, KubernetesVersion: version,
	}
	if s.Endpoint.IsValid() {
		o.ControlPlaneEndpoint, o.BindPort = s.Endpoint.String(), int32(s.Endpoint.Port())
	}
	if o.KubernetesVersion == "" {
		o.KubernetesVersion = s.Version(m)
	}
	var data []byte
	if s.Config != "" {
		var err error
		if data, err = config.ReadFile(s.Config); err != nil {
			return config.Config{}, nil, err
		}
	}
	machine := config.Machine{Hostname: s.Node(m), DefaultIP: m.Address, Token: bootstrap.DrawToken().String()}
	cfg, warnings, err := config.Load(data, s.Config, o, machine)
	if err != nil {
		return cfg, warnings, err
	}
	if runs := s.Version(m); runs != "" && runs != cfg.Version.Tag() {
		return cfg, warnings, otherVersion(*s, runs, cfg.Version.Tag())
	}
	s.KubernetesVersion, cfg.Paths.Binaries = cfg.Version.Tag(), s.Binaries(m)
	return cfg, warnings, nil
}

// binaries finds the component binaries and remembers where they are.
func (u *sandboxUp) binaries(ctx context.Context, s *sandbox.Sandbox, cfg config.Config) error {
	given := u.binDir
	if given == "" {
		given = s.Binaries(s.Masters[0])
	}
	dir, err := binariesOf(ctx, given, cfg.Version)
	if err == nil && (s.BinDir == "" || u.binDir != "") {
		s.BinDir = dir
	}
	return err
}

// summary says what runs where, and what to try.
func (u *sandboxUp) summary(ctx context.Context, s sandbox.Sandbox, server string) error {
	fmt.Fprintf(u.out, "\nSandbox %s is well: Kubernetes %s at https://%s\n\n", s.Name, s.KubernetesVersion, server)
	if err := statusTable(u.out, status(ctx, s)); err != nil {
		return err
	}
	kubectl := filepath.Join(s.Binaries(s.Masters[0]), "kubectl")
	if _, err := os.Stat(kubectl); err != nil {
		kubectl = "kubectl"
	}
	fmt.Fprintf(u.out, "\nTry:\n  %s --kubeconfig %s get --raw='/readyz?verbose'\n", kubectl, adminConf(s))
	return nil
}
