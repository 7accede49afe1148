package manifests

import (
	"fmt"
	"slices"
	"strings"

	"tripod.dev/tripod/internal/config"
)

// An UnknownGate is a feature gate that no component of a version knows; one that is given it exits at once.
type UnknownGate struct {
	// Field is the path in the configuration, apiServer.extraArgs[2].value.
	Field string
	// Program and Version are who does not know it, of a minor version ("1.36").
	Program, Version string
	Gate             string
	// Near is the gate that it resembles, "" if none does.
	Near string
}

// Error ends with a hint line.
func (e *UnknownGate) Error() string {
	near := ""
	if e.Near != "" {
		near = fmt.Sprintf("; did you mean %q?", e.Near)
	}
	return fmt.Sprintf("%s: %s %s has no feature gate %q%s\nhint: gates go when what they were for has become a matter of course: leave it out", e.Field, e.Program, e.Version, e.Gate, near)
}

// Gates are the feature gates that some component of a minor version knows, sorted. The program is "etcd" or "kubernetes".
// Nil are those of a version that tripod has no table of.
func Gates(program, minor string) []string {
	table, err := tables.ReadFile(fmt.Sprintf("flags/feature-gates-%s-%s.txt", program, minor))
	if err != nil {
		return nil
	}
	return strings.Fields(string(table))
}

// checkGates are the gates in the value of a flag feature-gates (A=true,B=false) that a component of version v does not know.
func checkGates(component string, v config.Version, at, value string) []error {
	program := "kubernetes"
	if component == "etcd" {
		program = "etcd"
	}
	minor := fmt.Sprintf("%d.%d", v.Major, v.Minor)
	known := Gates(program, minor)
	if known == nil {
		return nil
	}
	var unknown []error
	for _, setting := range strings.Split(value, ",") {
		gate, _, _ := strings.Cut(setting, "=")
		gate = gate[strings.LastIndex(gate, ":")+1:] // before it the component whose emulated version it is for
		gate = strings.TrimSpace(gate)
		if gate != "" && !slices.Contains(known, gate) {
			unknown = append(unknown, &UnknownGate{Field: at, Program: component, Version: minor, Gate: gate, Near: config.Nearest(gate, known)})
		}
	}
	return unknown
}
