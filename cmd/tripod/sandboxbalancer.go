package main

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/agent"
	"tripod.dev/tripod/internal/balancer"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/internal/sandbox"
)

// balancerFlags are those of tripod sandbox balancer.
type balancerFlags struct {
	listen   string
	backends []string
	ca       string
}

func newSandboxBalancer() *cobra.Command {
	var f balancerFlags
	cmd := &cobra.Command{
		Use:   "balancer --listen IP:PORT --backend IP:PORT... --ca FILE",
		Short: "Spread connections over the apiservers that are ready",
		Long: `balancer takes TCP connections and hands each to an apiserver that is ready: whose /readyz answers 200
over TLS that the CA verifies, asked five times a second. Where none is, all are tried. A sandbox of several
masters runs it by itself, as a static pod beside them.`,
		Example: "  tripod sandbox balancer --listen 127.0.0.1:6443 --backend 127.64.1.1:6443 --backend 127.64.1.2:6443 --ca ca.crt",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			debug.SetGCPercent(100) // it lives as long as the sandbox
			host.RaiseOpenFiles()
			o, listener, err := f.open()
			if err != nil {
				return err
			}
			o.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			return balancer.Serve(cmd.Context(), listener, o)
		},
	}
	cmd.Flags().StringVar(&f.listen, "listen", "", "`address` to listen at, IP:PORT")
	cmd.Flags().StringArrayVar(&f.backends, "backend", nil, "`address` of an apiserver, IP:PORT; repeated for more")
	cmd.Flags().StringVar(&f.ca, "ca", "", "`file` with the cluster's CA")
	_ = cmd.MarkFlagFilename("ca", "crt", "pem")
	require(cmd, "listen", "backend", "ca")
	return cmd
}

// open reads what the flags say, and listens.
func (f balancerFlags) open() (balancer.Options, *net.TCPListener, error) {
	var o balancer.Options
	listen, err := netip.ParseAddrPort(f.listen)
	errs := multierror.Append(nil, notAddress("listen", err)...)
	for _, text := range f.backends {
		backend, err := netip.ParseAddrPort(text)
		errs = multierror.Append(errs, notAddress("backend", err)...)
		o.Backends = append(o.Backends, backend)
	}
	pem, err := os.ReadFile(f.ca)
	if o.CA = x509.NewCertPool(); err == nil && !o.CA.AppendCertsFromPEM(pem) {
		err = fmt.Errorf("--ca: %s holds no certificate", f.ca)
	}
	if err != nil {
		errs = multierror.Append(errs, err)
	}
	if errs.Len() > 0 {
		return o, nil, &inputError{errs}
	}
	listener, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(listen))
	return o, listener, err
}

func notAddress(flag string, err error) []error {
	if err == nil {
		return nil
	}
	return []error{fmt.Errorf("--%s: %w\nhint: write it as 127.0.0.1:6443", flag, err)}
}

// balancerAgent is how the agent of a sandbox's balancer runs. Its one program is tripod.
func balancerAgent(s sandbox.Sandbox) agent.Options {
	dir := s.Balancer()
	return agent.Options{Manifests: config.PathsUnder(dir).Manifests, BinDir: filepath.Join(dir, "bin"), State: filepath.Join(dir, "agent"),
		Socket: filepath.Join(dir, "agent.sock")} // no longer a path than a master's
}
