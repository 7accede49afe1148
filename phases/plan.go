package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// A Step is one phase of a plan, or a group of phases that need no proof and follow each other.
type Step struct {
	Phase     string   `json:"phase"`
	Changes   []Change `json:"changes,omitempty"`
	Proof     Proof    `json:"proof,omitzero"`
	Alongside bool     `json:"-"`
	AfterAll  bool     `json:"-"`
	Locked    bool     `json:"-"`
	Sweeps    bool     `json:"-"`
	Late      bool     `json:"-"`
	// Unproved is set where nobody runs the pods, nor will by this plan: the files are written, no more.
	Unproved bool `json:"unproved,omitempty"`

	// phase is what a locked or a late step is planned by, once more.
	phase Phase
}

// Plan says what list would change on the master and what would then be proved. It is a pure
// function: dry-run and diff print it, Apply carries it out, and an interrupted run is
// continued by planning again. Everything that is wrong with what was given is told at once, as an
// InputError; so is what is wrong with the machine, as a PreflightError beside the plan that it stops.
func Plan(list []Phase, m Master) (steps []Step, warnings []string, err error) {
	var errs *multierror.Error
	for _, p := range list {
		step, err := plan(p, m)
		if err != nil {
			errs = multierror.Append(errs, fmt.Errorf("%s: %w", p.Name, err))
			continue
		}
		steps = merge(steps, step, p.Group())
	}
	if errs == nil {
		errs = whole(steps, m)
	}
	if errs != nil {
		return nil, nil, &InputError{errs}
	}
	steps = prove(steps, m)
	for _, p := range list {
		if p.Check == nil {
			continue
		}
		w, err := p.Check(m)
		warnings = append(warnings, w...)
		if err != nil {
			return steps, warnings, err
		}
	}
	return steps, warnings, nil
}

func plan(p Phase, m Master) (Step, error) {
	s := Step{Phase: p.Name, Proof: p.Proof, Alongside: p.Alongside, AfterAll: p.AfterAll, Locked: p.Locked, Sweeps: p.Sweeps, Late: p.Late, phase: p}
	if err := m.mayBeUp(); p.Once && err != nil {
		s.Changes, s.Late = []Change{pending("a cluster that is up", err)}, true
		return s, nil
	}
	if p.Once && m.isUp() {
		return s, nil
	}
	if p.Want != nil {
		changes, err := p.Want(m)
		if err != nil {
			return s, err
		}
		s.Changes = changes
	}
	if p.Objects != nil {
		objects, err := p.Objects(m)
		if err != nil {
			return s, err
		}
		s.Changes = append(s.Changes, m.want(objects...)...)
	}
	if err := m.Tokens.Err(); err != nil && p.Tokens {
		s.Changes = append(s.Changes, pending("the cluster's bootstrap tokens", err))
	}
	s.Late = s.Late || s.unknown() != nil
	return s, nil
}

// merge appends a step, or adds it to the last one where both are of one group and need no proof:
// thirteen certificates are one line of progress.
func merge(steps []Step, s Step, group string) []Step {
	if s.Proof.Attempt != nil || s.Locked || s.Late {
		return append(steps, s)
	}
	if last := len(steps) - 1; last >= 0 && steps[last].Phase == group {
		steps[last].Changes = append(steps[last].Changes, s.Changes...)
		return steps
	}
	s.Phase = group
	return append(steps, s)
}

// whole finds what the plan needs and neither has nor makes: phases run alone, or left out, in an order
// that can't be. A leaf without its authority on disk would be the last that anybody sees of that authority.
func whole(steps []Step, m Master) *multierror.Error {
	made := map[string]bool{}
	var errs *multierror.Error
	for _, s := range steps {
		for _, c := range s.Changes {
			missing := slices.DeleteFunc(slices.Clone(c.Needs), func(path string) bool { return made[path] || m.has(path) })
			if len(missing) > 0 {
				errs = multierror.Append(errs, fmt.Errorf("%s: %s needs %s: not there and not in the plan\nhint: run its phase first (tripod init phase list)",
					s.Phase, c.What, strings.Join(missing, ", ")))
			}
			for _, path := range missing {
				made[path] = true // to tell it once is enough
			}
			for _, f := range c.Files {
				made[f.Path] = true
			}
		}
	}
	return errs
}

// has says that the path was found on disk, where a plan writes or where a flag points.
func (m Master) has(path string) bool {
	_, ours := m.Files[path]
	_, theirs := m.Inputs[path]
	return ours || theirs
}

// prove marks the steps whose proof nobody can give: no kubelet or agent runs, and none is started. Where there will
// be no apiserver, nothing can be changed in it either.
func prove(steps []Step, m Master) []Step {
	runner := m.Alive || m.Living != nil // who changes what lives has looked for it
	for i, s := range steps {
		runner = runner || s.Phase == "kubelet-start"
		if runner {
			continue
		}
		steps[i].Changes = slices.DeleteFunc(slices.Clone(s.Changes), func(c Change) bool { return c.online })
		steps[i].Late = false // nobody is there to ask
		steps[i].Unproved = s.Proof.Attempt != nil || len(steps[i].Changes) < len(s.Changes)
	}
	return steps
}
