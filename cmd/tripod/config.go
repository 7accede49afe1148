package main

import (
	"cmp"
	"io"
	"net/netip"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print, check and convert configurations, and list the images that they need",
		Example: `  tripod config print init-defaults > master.yaml
  tripod config validate --config master.yaml
  tripod config images list`,
	}
	cmd.AddCommand(newConfigPrint(), newConfigValidate(), newConfigMigrate(), newConfigImages())
	return cmd
}

func readFile(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return config.Read(stdin)
	}
	return config.ReadFile(name)
}

// thisMachine is what defaults are taken from: what the machine is as a node, and where it is none, as a machine.
func thisMachine(h *host.Host) (config.Machine, error) {
	name, err := h.Hostname()
	return phases.Itself(h, config.Machine{Hostname: name, DefaultIP: h.DefaultIP(), CRISockets: h.CRISockets()}), err
}

// readGiven reads the file that a flag names; no name is no file.
func readGiven(name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	return config.ReadFile(name)
}

// anyMachine is this machine for verbs that a machine without a network or a container runtime can do as well.
func anyMachine(h *host.Host) config.Machine {
	name, err := h.Hostname()
	if err != nil {
		name = "node"
	}
	address := h.DefaultIP()
	if !address.IsValid() {
		address = netip.MustParseAddr("192.0.2.1")
	}
	return phases.Itself(h, config.Machine{Hostname: cmp.Or(name, "node"), DefaultIP: address})
}
