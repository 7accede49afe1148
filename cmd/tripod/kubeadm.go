package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// What tripod does to be taken for kubeadm: the name, the flags of all verbs, the names of phases.

const (
	tripodName  = "tripod"
	kubeadmName = "kubeadm"
)

// programName is kubeadm for a file (or a link) of that name, and tripod for any other.
func programName(path string) string {
	if filepath.Base(path) == kubeadmName {
		return kubeadmName
	}
	return tripodName
}

// rename has all texts of root and of the commands below it say program where they say tripod as a command.
func rename(root *cobra.Command, program string) {
	if program == tripodName {
		return
	}
	var verbs []string
	for _, below := range root.Commands() {
		verbs = append(verbs, below.Name())
	}
	renameTexts(root, regexp.MustCompile(`\btripod( (?:`+strings.Join(verbs, "|")+`)\b)`), program+"$1")
}

func renameTexts(cmd *cobra.Command, command *regexp.Regexp, with string) {
	for _, text := range []*string{&cmd.Short, &cmd.Long, &cmd.Example} {
		*text = command.ReplaceAllString(*text, with)
	}
	for _, below := range cmd.Commands() {
		renameTexts(below, command, with)
	}
}

// addGlobalFlags adds the flags that kubeadm has for all verbs.
func addGlobalFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.IntP("v", "v", 0, "`level` of detail; from 5 on, plain lines that tell of every begin, on a terminal too")
	flags.String("vmodule", "", "`levels` by source file; there are none: taken, as kubeadm has it")
	_ = flags.MarkHidden("vmodule") // fails for a flag that is not defined
	flags.String("rootfs", "", "`directory` to chroot into before anything else")
	_ = root.MarkPersistentFlagDirname("rootfs")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		dir, _ := cmd.Flags().GetString("rootfs")
		if dir == "" {
			return nil
		}
		return chroot(dir)
	}
}

// chroot makes dir the root of this process.
func chroot(dir string) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return &inputError{fmt.Errorf("--rootfs=%s: there is no such directory", dir)}
	}
	if err := syscall.Chroot(dir); err != nil {
		return fmt.Errorf("chroot %s: %w", dir, err)
	}
	return os.Chdir("/")
}

// verbose says that -v asks for every detail.
func verbose(cmd *cobra.Command) bool {
	level, _ := cmd.Flags().GetInt("v")
	return level >= 5
}

// Those phases of kubeadm, of 1.34 and later, that tripod has none for; of a group, its name. Whoever skips one skips nothing.
func initPhasesOfKubeadm() []string { return []string{"kubelet-finalize/experimental-cert-rotation"} }

func joinPhasesOfKubeadm() []string {
	return []string{"control-plane-prepare", "check-etcd", "etcd-join", "control-plane-join", "wait-control-plane"}
}

func upgradePhasesOfKubeadm() []string { return []string{"control-plane", "addon", "upload-config"} }

// withManifests adds to the phases that a joining master leaves out those that write its manifests, which kubeadm has
// among its preparations.
func withManifests(skip []string) []string {
	prepares := func(name string) bool {
		return slices.Contains([]string{"control-plane-prepare", "control-plane-prepare/all", "control-plane-prepare/control-plane"}, name)
	}
	if slices.ContainsFunc(skip, prepares) {
		return append(slices.Clone(skip), "control-plane")
	}
	return skip
}

// unknownPhases are the names that are none of kubeadm's phases either.
func unknownPhases(names, kubeadms []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		group, _, _ := strings.Cut(name, "/")
		return slices.Contains(kubeadms, name) || slices.Contains(kubeadms, group)
	})
}
