package phases

import (
	"fmt"
	"strings"
	"time"

	"tripod.dev/tripod/internal/host"
)

// InputError is something wrong with what the user gave: certificates, flags of components, patches. Nothing was written.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }

// PreflightError is a machine that is not fit. Nothing was written.
type PreflightError struct{ Err error }

func (e *PreflightError) Error() string { return e.Err.Error() }
func (e *PreflightError) Unwrap() error { return e.Err }

// UnhealthyError is a component that did not get healthy.
type UnhealthyError struct {
	Component string
	// After is how long it was waited for.
	After time.Duration
	// Exit is how its container ended, nil if it did not.
	Exit *host.Exit
	// Hint is what can be done, "" if nothing is known.
	Hint string
	// Err is the last reason of the proof.
	Err error
}

func (e *UnhealthyError) Error() string {
	after := e.After.Round(100 * time.Millisecond)
	if e.Exit == nil {
		return fmt.Sprintf("%s is not healthy after %s: %v%s", e.Component, after, e.Err, hintLine(e.Hint))
	}
	return fmt.Sprintf("%s%s", crash(e.Component, *e.Exit), hintLine(e.Hint))
}

func (e *UnhealthyError) Unwrap() error { return e.Err }

// crash tells how a container ended, its last lines below.
func crash(component string, exit host.Exit) string {
	var b strings.Builder
	fmt.Fprintf(&b, "container %s", component)
	if exit.ContainerID != "" {
		fmt.Fprintf(&b, " (%.12s)", exit.ContainerID)
	}
	fmt.Fprintf(&b, " ended with exit code %d", exit.Code)
	if exit.Reason != "" && exit.Reason != "Error" {
		fmt.Fprintf(&b, " (%s)", exit.Reason)
	}
	if len(exit.Log) > 0 {
		b.WriteString(", its last lines:")
	}
	for _, line := range exit.Log {
		b.WriteString("\n    " + line)
	}
	return b.String()
}

func hintLine(hint string) string {
	if hint == "" {
		return ""
	}
	return "\nhint: " + hint
}
