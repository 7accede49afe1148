package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Policy is which changes of version Kubernetes supports (https://kubernetes.io/releases/version-skew-policy; kubeadm:
// cmd/kubeadm/app/phases/upgrade/policy.go), by what runs in a cluster.
type Policy struct {
	// From is the version of the apiserver that changes, To what it is to be.
	From, To Version
	// Components are the versions of Kubernetes' own components on the masters, by node and component.
	Components map[string]map[string]Version
	// Kubelets are their versions by node.
	Kubelets map[string]Version
	// Force takes what is refused for caution's sake: versions that are no releases, and kubelets that do not fit.
	Force bool
	// AllowExperimental and AllowRC take versions that are no releases.
	AllowExperimental, AllowRC bool
}

// Check is all that speaks against the change, and what is worth a warning. Whatever is wrong already, and is no worse
// afterwards, is a warning: it must not keep a cluster from a patch, or from a change of its configuration.
func (p Policy) Check() (refusals []error, warnings []string) {
	refusals, cautions, notes := p.steps(), p.preRelease(), slices.Concat(p.patchDown(), p.untried())
	if p.From.sameMinor(p.To) {
		notes = slices.Concat(notes, p.masters(), p.kubelets())
	} else {
		refusals, cautions = append(refusals, p.masters()...), append(cautions, p.kubelets()...)
	}
	if p.Force {
		notes = append(notes, cautions...)
	} else {
		refusals = append(refusals, cautions...)
	}
	for _, err := range notes {
		warnings = append(warnings, err.Error())
	}
	return refusals, warnings
}

// steps refuses more than one minor version at a time, to go back to an earlier one, and to go where tripod does not know the
// components. kubeadm takes these by force where the version is no release, and goes back one.
func (p Policy) steps() []error {
	switch steps := p.To.Minor - p.From.Minor; {
	case p.From.Major != p.To.Major:
		return []error{fmt.Errorf("%s does not become %s: another major version\nhint: tripod runs %s", p.From.Tag(), p.To.Tag(), minors())}
	case steps < 0:
		return []error{fmt.Errorf("%s does not go back to %s: a minor version is not taken back, as objects may be stored in versions that the earlier one does not know\n"+
			"hint: tripod rollback brings back what ran here before, and says what that can cost", p.From.Tag(), p.To.Tag())}
	case !slices.ContainsFunc(SupportedVersions(), p.To.sameMinor):
		return []error{fmt.Errorf("%s is not supported\nhint: tripod runs %s", p.To.Tag(), minors())}
	case steps > 1:
		return []error{fmt.Errorf("%s does not become %s at once: one minor version at a time\nhint: %s", p.From.Tag(), p.To.Tag(), p.way())}
	}
	return nil
}

// way is how one gets there in more than one step.
func (p Policy) way() string {
	chain := Chain(p.From, p.To)
	if len(chain) == 0 {
		return fmt.Sprintf("no way from there is known: tripod runs %s", minors())
	}
	return fmt.Sprintf("%s; so tripod upgrade apply %s comes first", arrows(append([]Version{p.From}, chain...)), chain[0].Tag())
}

// Chain are the upgrades that lead from one version to another, a minor version each; of those in between, the newest patch
// that is known. Nil if they are the same, if it goes back, or through a minor version that is not known.
func Chain(from, to Version) []Version {
	if to.Compare(from) <= 0 {
		return nil
	}
	var chain []Version
	for minor := from.Minor + 1; minor < to.Minor; minor++ {
		between := Version{Major: to.Major, Minor: minor}
		i := slices.IndexFunc(SupportedVersions(), between.sameMinor)
		if i < 0 {
			return nil
		}
		chain = append(chain, SupportedVersions()[i])
	}
	return append(chain, to)
}

func arrows(versions []Version) string {
	var tags []string
	for _, v := range versions {
		tags = append(tags, v.Tag())
	}
	return strings.Join(tags, " -> ")
}

// preRelease wants a flag for what is no release, unless a master is there already.
func (p Policy) preRelease() []error {
	candidate := strings.HasPrefix(p.To.Pre, "rc.")
	switch {
	case p.To.Pre == "", p.AllowExperimental, candidate && p.AllowRC, p.reached():
		return nil
	case candidate:
		return []error{fmt.Errorf("%s is a release candidate\nhint: --allow-release-candidate-upgrades takes it", p.To.Tag())}
	}
	return []error{errors.New(p.To.Tag() + " is no release\nhint: --allow-experimental-upgrades takes it")}
}

// reached says whether an apiserver runs with the version: whoever has begun with it was asked.
func (p Policy) reached() bool {
	for _, components := range p.Components {
		if v, known := components["kube-apiserver"]; known && v == p.To {
			return true
		}
	}
	return p.From == p.To
}

// patchDown warns of an earlier patch, which is allowed.
func (p Policy) patchDown() []error {
	if p.From.sameMinor(p.To) && p.To.Compare(p.From) < 0 {
		return []error{fmt.Errorf("%s is older than %s, which runs: what was mended in between is broken again", p.To.Tag(), p.From.Tag())}
	}
	return nil
}

// untried warns of a patch that came after this tripod. kubeadm wants force for one.
func (p Policy) untried() []error {
	known := SupportedVersions()
	i := slices.IndexFunc(known, p.To.sameMinor)
	if i < 0 || p.To.Compare(known[i]) <= 0 || p.From == p.To {
		return nil
	}
	return []error{fmt.Errorf("%s is newer than %s, the newest that this tripod knows", p.To.Tag(), known[i].Tag())}
}
