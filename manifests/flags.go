package manifests

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tripod.dev/tripod/internal/config"
)

// The tables hold every flag that a component of a version accepts, those included that its --help hides.
//
//go:generate make -C .. flags
//go:embed flags/*.txt
var tables embed.FS

// An UnknownFlag is an extra argument that a component does not accept; it would exit at once.
type UnknownFlag struct {
	// Field is the path in the configuration, apiServer.extraArgs[2].name.
	Field string
	// Component and Version are who refuses the flag; Version is minor precise ("1.36").
	Component, Version string
	Flag               string
	// Near is the accepted flag that Flag resembles, "" if none does.
	Near string
}

// Error ends with a hint line.
func (e *UnknownFlag) Error() string {
	near := ""
	if e.Near != "" {
		near = fmt.Sprintf("; did you mean %q?", e.Near)
	}
	hint := "`" + e.Component + " --help` lists them"
	if strings.HasPrefix(e.Flag, "-") {
		hint = "names come without their dashes"
	}
	return fmt.Sprintf("%s: %s %s has no flag %q%s\nhint: %s", e.Field, e.Component, e.Version, e.Flag, near, hint)
}

// CheckArgs are the extra arguments of a component that a binary of version v (etcd's own for etcd) does not accept:
// UnknownFlags and UnknownGates, or one error if tripod has no table for that version.
func CheckArgs(component string, v config.Version, args []config.Arg) []error {
	if len(args) == 0 {
		return nil
	}
	minor := fmt.Sprintf("%d.%d", v.Major, v.Minor)
	known, err := Flags(component, minor)
	if err != nil {
		return []error{fmt.Errorf("%s: %w", ArgsField(component), err)}
	}
	var unknown []error
	for i, arg := range args {
		if !slices.Contains(known, normal(component, arg.Name)) {
			unknown = append(unknown, &UnknownFlag{
				Field:     fmt.Sprintf("%s[%d].name", ArgsField(component), i),
				Component: component, Version: minor, Flag: arg.Name, Near: config.Nearest(bare(arg.Name), known),
			})
		}
		if normal(component, arg.Name) == "feature-gates" {
			unknown = append(unknown, checkGates(component, v, fmt.Sprintf("%s[%d].value", ArgsField(component), i), arg.Value)...)
		}
	}
	return unknown
}

// Flags are the names of all flags of a component, sorted. The version is its minor version: "1.36", etcd's "3.6".
func Flags(component, minor string) ([]string, error) {
	table, err := tables.ReadFile(fmt.Sprintf("flags/%s-%s.txt", component, minor))
	if err != nil {
		return nil, errors.New("the flags of " + component + " " + minor + " are not known\nhint: a version that tripod supports, or no extra arguments")
	}
	return strings.Fields(string(table)), nil
}

// ArgsField is where the configuration has a component's extra arguments.
func ArgsField(component string) string {
	switch component {
	case "etcd":
		return "etcd.local.extraArgs"
	case "kube-apiserver":
		return "apiServer.extraArgs"
	case "kube-controller-manager":
		return "controllerManager.extraArgs"
	default:
		return "scheduler.extraArgs"
	}
}

// normal is the flag's name in its table: Kubernetes' components take underscores for dashes, etcd does not.
func normal(component, name string) string {
	if component == "etcd" {
		return name
	}
	return strings.ReplaceAll(name, "_", "-")
}

// bare is a name as it should have been written: without dashes before it, and with dashes for underscores.
func bare(name string) string {
	return strings.TrimLeft(strings.ReplaceAll(name, "_", "-"), "-")
}
