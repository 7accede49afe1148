package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strconv"

	"github.com/spf13/cobra"
	kubernetes "k8s.io/apimachinery/pkg/version"

	"tripod.dev/tripod/internal/config"
)

func newVersionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: `Print the version of tripod, and in JSON and YAML also the versions of Kubernetes that it knows.

Called by the name of kubeadm it prints what kubeadm prints, with the newest of those as its version:
whoever drives kubeadm takes the Kubernetes that it installs from there.`,
		Example: `  tripod version
  tripod version -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" {
				if err := oneOf("output", output, "short", "json", "yaml"); err != nil {
					return err
				}
			}
			return printVersion(cmd.OutOrStdout(), cmd.Root().Name(), output)
		},
	}
	addOutput(cmd, &output, "short, json or yaml", "", "short", "json", "yaml")
	return cmd
}

func printVersion(to io.Writer, program, output string) error {
	switch {
	case output == "json" || output == "yaml":
		return printAs(to, output, versionDocument(program))
	case output == "" && program == kubeadmName:
		info := kubeadmVersion()
		_, err := fmt.Fprintf(to, "kubeadm version: %#v\n", &info)
		return err
	}
	_, err := fmt.Fprintln(to, shortVersion(program))
	return err
}

// shortVersion is tripod's own version, or as kubeadm the newest Kubernetes that it installs.
func shortVersion(program string) string {
	if program == kubeadmName {
		return newestKubernetes().Tag()
	}
	return version
}

// versionDocument is what -o json prints: as kubeadm, with kubeadm's fields.
func versionDocument(program string) any {
	if program == kubeadmName {
		return map[string]kubernetes.Info{"clientVersion": kubeadmVersion()}
	}
	var known []string
	for _, v := range config.SupportedVersions() {
		known = append(known, v.Tag())
	}
	return struct {
		Version    string   `json:"version"`
		Kubernetes []string `json:"kubernetes"`
		Go         string   `json:"go"`
		Platform   string   `json:"platform"`
	}{version, known, runtime.Version(), platform()}
}

// kubeadmVersion is that of the kubeadm whose place tripod takes.
func kubeadmVersion() kubernetes.Info {
	v := newestKubernetes()
	info := kubernetes.Info{
		Major: strconv.Itoa(v.Major), Minor: strconv.Itoa(v.Minor), GitVersion: v.Tag(), GitTreeState: "clean",
		BuildDate: "1970-01-01T00:00:00Z", GoVersion: runtime.Version(), Compiler: runtime.Compiler, Platform: platform(),
	}
	build, _ := debug.ReadBuildInfo()
	if build == nil {
		return info
	}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			info.GitCommit = s.Value
		case "vcs.time":
			info.BuildDate = s.Value
		}
	}
	return info
}

func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

func newestKubernetes() config.Version {
	known := config.SupportedVersions()
	return known[len(known)-1]
}
