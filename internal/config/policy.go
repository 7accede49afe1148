package config

import (
	"errors"
	"fmt"
	"maps"
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
	// Force takes what is refused for caution's sake.
	Force bool
	// AllowExperimental and AllowRC take versions that are no releases.
	AllowExperimental, AllowRC bool
}

// kubeletsBehind is how many minor versions a kubelet may be older than its apiserver.
const kubeletsBehind = 3

// Check is all that speaks against the change, and what is worth a warning.
func (p Policy) Check() (refusals []error, warnings []string) {
	refusals = slices.Concat(p.steps(), p.masters())
	cautions := slices.Concat(p.preRelease(), p.kubelets())
	if !p.Force {
		return append(refusals, cautions...), p.patchDown()
	}
	for _, err := range cautions {
		warnings = append(warnings, err.Error())
	}
	return refusals, append(warnings, p.patchDown()...)
}

// steps refuses more than one minor version at a time, and to go back to an earlier one.
func (p Policy) steps() []error {
	switch minors := p.To.Minor - p.From.Minor; {
	case p.From.Major != p.To.Major:
		return []error{fmt.Errorf("%s does not become %s: another major version", p.From.Tag(), p.To.Tag())}
	case minors < 0:
		return []error{fmt.Errorf("%s does not go back to %s: a minor version is not taken back, as objects may be stored in versions that the earlier one does not know\n"+
			"hint: tripod rollback brings back what ran here before, and says what that can cost", p.From.Tag(), p.To.Tag())}
	case minors > 1:
		chain := Chain(p.From, p.To)
		return []error{fmt.Errorf("%s does not become %s at once: one minor version at a time\nhint: %s; so tripod upgrade apply %s comes first",
			p.From.Tag(), p.To.Tag(), arrows(append([]Version{p.From}, chain...)), chain[0].Tag())}
	}
	return nil
}

// Chain are the upgrades that lead from one version to another, a minor version each; of those in between, the newest patch
// that is known. Nil if they are the same, or it goes back.
func Chain(from, to Version) []Version {
	if to.Compare(from) <= 0 {
		return nil
	}
	var chain []Version
	for minor := from.Minor + 1; minor < to.Minor; minor++ {
		between := Version{Major: to.Major, Minor: minor}
		if i := slices.IndexFunc(SupportedVersions(), between.sameMinor); i >= 0 {
			between = SupportedVersions()[i]
		}
		chain = append(chain, between)
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

// masters refuses apiservers that would be more than one minor version apart.
func (p Policy) masters() []error {
	var errs []error
	for _, node := range slices.Sorted(maps.Keys(p.Components)) {
		v, known := p.Components[node]["kube-apiserver"]
		if apart := p.To.Minor - v.Minor; known && (apart > 1 || apart < -1) {
			errs = append(errs, fmt.Errorf("the apiserver of %s is %s: apiservers of one cluster must not be more than one minor version apart\nhint: upgrade that master first (tripod upgrade node)", node, v.Tag()))
		}
	}
	return errs
}

// preRelease wants a flag for what is no release.
func (p Policy) preRelease() []error {
	switch pre := p.To.Pre; {
	case pre == "", p.AllowExperimental:
		return nil
	case strings.HasPrefix(pre, "rc.") && p.AllowRC:
		return nil
	case strings.HasPrefix(pre, "rc."):
		return []error{fmt.Errorf("%s is a release candidate\nhint: --allow-release-candidate-upgrades takes it", p.To.Tag())}
	}
	return []error{errors.New(p.To.Tag() + " is no release\nhint: --allow-experimental-upgrades takes it")}
}

// kubelets wants no kubelet to be newer than an apiserver, nor much older.
func (p Policy) kubelets() []error {
	var errs []error
	for _, node := range slices.Sorted(maps.Keys(p.Kubelets)) {
		switch v := p.Kubelets[node]; {
		case v.Minor > p.To.Minor:
			errs = append(errs, fmt.Errorf("the kubelet of %s is %s: kubelets must not be newer than an apiserver\nhint: install an earlier one there first", node, v.Tag()))
		case p.To.Minor-v.Minor > kubeletsBehind:
			errs = append(errs, fmt.Errorf("the kubelet of %s is %s: kubelets may be %d minor versions older than an apiserver, no more\nhint: install a newer one there first", node, v.Tag(), kubeletsBehind))
		}
	}
	return errs
}

// patchDown warns of an earlier patch, which is allowed.
func (p Policy) patchDown() []string {
	if p.From.sameMinor(p.To) && p.To.Compare(p.From) < 0 {
		return []string{fmt.Sprintf("%s is older than %s, which runs: what was mended in between is broken again", p.To.Tag(), p.From.Tag())}
	}
	return nil
}
