package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
)

func newConfigImages() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "images",
		Short: "The images that a master needs",
		Example: `  tripod config images list
  tripod config images pull`,
	}
	cmd.AddCommand(newImagesList(), newImagesPull())
	return cmd
}

func newImagesList() *cobra.Command {
	var (
		o      config.Overrides
		output string
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the images that a master needs; no network is asked",
		Example: `  tripod config images list
  tripod config images list --kubernetes-version v1.35.4 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("output", output, "text", "json", "yaml"); err != nil {
				return err
			}
			c, err := loadForImages(cmd, o)
			if err != nil {
				return err
			}
			return printImages(cmd.OutOrStdout(), output, c.Images())
		},
	}
	addImageFlags(cmd, &o)
	addOutput(cmd, &output, "text, json or yaml", "text", "json", "yaml")
	return cmd
}

func newImagesPull() *cobra.Command {
	var o config.Overrides
	cmd := &cobra.Command{
		Use:   "pull",
		Short: "Have the container runtime pull the images that a master needs",
		Example: `  tripod config images pull
  tripod config images pull --config master.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadForImages(cmd, o)
			if err != nil {
				return err
			}
			runtime, err := host.Open("/").NewKubelet(host.KubeletOptions{Socket: c.Node.Registration.CRISocket})
			if err != nil {
				return &inputError{err}
			}
			defer runtime.Close()
			for _, image := range c.Images() {
				if err := runtime.Pull(cmd.Context(), image); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "[config/images] Pulled %s\n", image)
			}
			return nil
		},
	}
	addImageFlags(cmd, &o, "cri-socket")
	return cmd
}

// addImageFlags adds those flags of init that say which images there are.
func addImageFlags(cmd *cobra.Command, o *config.Overrides, more ...string) {
	all := pflag.NewFlagSet("init", pflag.ContinueOnError)
	o.AddFlags(all)
	for _, name := range append(more, "config", "kubernetes-version", "image-repository", "feature-gates") {
		cmd.Flags().AddFlag(all.Lookup(name))
	}
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

// loadForImages reads the file and the flags as init would, wherever this is.
func loadForImages(cmd *cobra.Command, o config.Overrides) (config.Config, error) {
	h := host.Open("/")
	machine := anyMachine(h)
	if cmd.Flags().Lookup("cri-socket") != nil {
		machine.CRISockets = h.CRISockets()
	}
	data, err := readGiven(o.ConfigFile)
	if err != nil {
		return config.Config{}, &inputError{err}
	}
	c, warnings, err := config.Load(data, o.ConfigFile, o, machine)
	if err != nil {
		return config.Config{}, &inputError{err}
	}
	for _, w := range warnings {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
	}
	return c, nil
}

// imageList is the document of kubeadm's output API.
type imageList struct {
	metav1.TypeMeta `json:",inline"`
	Images          []string `json:"images"`
}

func printImages(to io.Writer, output string, images []string) error {
	if output == "text" {
		_, err := fmt.Fprintln(to, strings.Join(images, "\n"))
		return err
	}
	return printAs(to, output, imageList{outputType("Images"), images})
}
