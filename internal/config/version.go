package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Version is a semantic version without its v.
type Version struct {
	Major, Minor, Patch int
	// Pre is the pre-release part without its dash, mostly empty.
	Pre string
}

// SupportedVersions are the newest patch releases known of the minors that tripod runs, oldest first.
func SupportedVersions() []Version {
	return []Version{
		{Major: 1, Minor: 34, Patch: 4},
		{Major: 1, Minor: 35, Patch: 4},
		{Major: 1, Minor: 36, Patch: 3},
	}
}

// ParseVersion reads 1.36.3, v1.36.3 and v1.37.0-rc.1; all three numbers are needed, build metadata is refused.
func ParseVersion(s string) (Version, error) {
	numbers, pre, dashed := strings.Cut(strings.TrimPrefix(s, "v"), "-")
	parts := strings.Split(numbers, ".")
	if len(parts) != 3 || dashed && !isPreRelease(pre) {
		return Version{}, fmt.Errorf("%q is not a version such as v1.36.3", s)
	}
	var n [3]int
	for i, part := range parts {
		value, err := strconv.ParseUint(part, 10, 16)
		if err != nil || strconv.FormatUint(value, 10) != part {
			return Version{}, fmt.Errorf("%q is not a version such as v1.36.3", s)
		}
		n[i] = int(value)
	}
	return Version{Major: n[0], Minor: n[1], Patch: n[2], Pre: pre}, nil
}

func isPreRelease(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || strings.ContainsFunc(part, notAlphanumeric) {
			return false
		}
	}
	return true
}

func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-'
}

// String is 1.36.3.
func (v Version) String() string {
	s := fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
	if v.Pre != "" {
		s += "-" + v.Pre
	}
	return s
}

// Tag is v1.36.3, as in image tags and kubernetesVersion.
func (v Version) Tag() string { return "v" + v.String() }

// Compare is -1, 0 or 1; a pre-release comes before its release.
func (v Version) Compare(w Version) int {
	return cmp.Or(
		cmp.Compare(v.Major, w.Major),
		cmp.Compare(v.Minor, w.Minor),
		cmp.Compare(v.Patch, w.Patch),
		comparePre(v.Pre, w.Pre),
	)
}

func comparePre(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	}
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), compareIdentifier)
}

// compareIdentifier is the rule of semver: numbers by value and before words.
func compareIdentifier(a, b string) int {
	n, errA := strconv.Atoi(a)
	m, errB := strconv.Atoi(b)
	switch {
	case errA == nil && errB == nil:
		return cmp.Compare(n, m)
	case errA == nil:
		return -1
	case errB == nil:
		return 1
	}
	return cmp.Compare(a, b)
}

// KubernetesVersion reads a version that tripod runs, or a label that stands for one.
func KubernetesVersion(s string) (Version, error) {
	v, complaints := kubernetesVersion(s)
	if len(complaints) > 0 {
		return v, joined(complaints)
	}
	return v, nil
}

// kubernetesVersion reads a version, or a label that stands for the newest release known: no network is asked.
func kubernetesVersion(s string) (Version, []Complaint) {
	const field = "kubernetesVersion"
	if v, ok := labelled(s); ok {
		return v, nil
	}
	v, err := ParseVersion(s)
	if err != nil {
		return Version{}, []Complaint{wrong(field, "%v", err).hint("or a label: %s", strings.Join(labels(), ", "))}
	}
	if !slices.ContainsFunc(SupportedVersions(), v.sameMinor) {
		return Version{}, []Complaint{wrong(field, "%s is not supported", v.Tag()).hint("tripod runs %s", minors())}
	}
	return v, nil
}

func (v Version) sameMinor(w Version) bool { return v.Major == w.Major && v.Minor == w.Minor }

func labelled(s string) (Version, bool) {
	known := SupportedVersions()
	if s == "stable" || s == "stable-1" {
		return known[len(known)-1], true
	}
	i := slices.IndexFunc(known, func(v Version) bool { return s == fmt.Sprintf("stable-%d.%d", v.Major, v.Minor) })
	if i < 0 {
		return Version{}, false
	}
	return known[i], true
}

func labels() []string {
	all := []string{"stable", "stable-1"}
	for _, v := range SupportedVersions() {
		all = append(all, fmt.Sprintf("stable-%d.%d", v.Major, v.Minor))
	}
	return all
}

// minors is "1.34, 1.35, 1.36".
func minors() string {
	var all []string
	for _, v := range SupportedVersions() {
		all = append(all, fmt.Sprintf("%d.%d", v.Major, v.Minor))
	}
	return strings.Join(all, ", ")
}
