package phases

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

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
	// Exit is how its container ended, nil if it did not. The event Crashed has told all its lines.
	Exit *host.Exit
	// Line is the one that explains the end, as far as that can be known.
	Line string
	// Hint is what can be done, "" if nothing is known.
	Hint string
	// Err is the last reason of the proof; nil where the end of the container says it all.
	Err error
}

func (e *UnhealthyError) Error() string {
	var parts []string
	if e.Err != nil {
		parts = append(parts, fmt.Sprintf("%s is not healthy after %s: %v", e.Component, e.After.Round(100*time.Millisecond), e.Err))
	}
	if e.Exit != nil {
		parts = append(parts, strings.TrimSuffix(ending(e.Component, *e.Exit)+": "+e.Line, ": "))
	}
	return strings.Join(parts, "; ") + hintLine(e.Hint)
}

func (e *UnhealthyError) Unwrap() error { return e.Err }

// final is a reason of a proof that waiting does not cure.
type final struct{ error }

func (e final) Unwrap() error { return e.error }

func hintLine(hint string) string {
	if hint == "" {
		return ""
	}
	return "\nhint: " + hint
}

// Reasons are those of an error that holds several, each once.
func Reasons(err error) []string {
	all := []error{err}
	if several, ok := errors.AsType[*multierror.Error](err); ok {
		all = several.Errors
	}
	var texts []string
	for _, err := range all {
		if !slices.Contains(texts, err.Error()) {
			texts = append(texts, err.Error())
		}
	}
	return texts
}
