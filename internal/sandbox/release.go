package sandbox

import (
	"cmp"
	"slices"
)

// Version is the Kubernetes version of a master.
func (s Sandbox) Version(m Master) string { return cmp.Or(m.KubernetesVersion, s.KubernetesVersion) }

// Binaries is the directory of a master's component binaries.
func (s Sandbox) Binaries(m Master) string { return cmp.Or(m.BinDir, s.BinDir) }

// BinariesOf is the directory of a version's component binaries, where the sandbox has some of it or is to have them; "" for
// any other version.
func (s Sandbox) BinariesOf(version string) string {
	switch {
	case s.Upgrade != nil && s.Upgrade.KubernetesVersion == version:
		return s.Upgrade.BinDir
	case s.KubernetesVersion == version:
		return s.BinDir
	}
	return ""
}

// SetRelease notes that the master of that name is of the release. When all are, the sandbox is, and its upgrade has ended.
func (s *Sandbox) SetRelease(name string, r Release) {
	for i, m := range s.Masters {
		if m.Name == name {
			s.Masters[i].KubernetesVersion, s.Masters[i].BinDir = r.KubernetesVersion, r.BinDir
		}
	}
	if slices.ContainsFunc(s.Masters, func(m Master) bool { return s.release(m) != r }) {
		return
	}
	s.KubernetesVersion, s.BinDir, s.Upgrade = r.KubernetesVersion, r.BinDir, nil
	for i := range s.Masters {
		s.Masters[i].KubernetesVersion, s.Masters[i].BinDir = "", ""
	}
}

func (s Sandbox) release(m Master) Release { return Release{s.Version(m), s.Binaries(m)} }
