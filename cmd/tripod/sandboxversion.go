package main

import (
	"cmp"
	"path/filepath"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/internal/sandbox"
	"tripod.dev/tripod/manifests"
	"tripod.dev/tripod/phases"
)

// thatRun has the versions of a master's rows be those of what runs, by the manifests that it runs by: the record says what the
// master was when it was proved last, and not what an upgrade has made of it that has failed, or goes on.
func thatRun(s sandbox.Sandbox, m sandbox.Master, rows []componentStatus) []componentStatus {
	h := host.Open("/")
	for i, row := range rows {
		f, there, err := h.Read(filepath.Join(s.Paths(m).Manifests, row.Component+".yaml"))
		if err == nil && there && row.Revision != "" && manifests.RevisionOf(f.Data) == row.Revision {
			rows[i].Version = cmp.Or(releaseOf(s, m, row.Component, f.Data), row.Version)
		}
	}
	return rows
}

// releaseOf is the Kubernetes version that a manifest is of: etcd's by where its program lies, as its image has a version of its own.
func releaseOf(s sandbox.Sandbox, m sandbox.Master, component string, manifest []byte) string {
	if component != "etcd" {
		return phases.VersionOf(manifest, component)
	}
	switch dir := manifests.BinDirOf(manifest); {
	case s.Upgrade != nil && dir == s.Upgrade.BinDir:
		return s.Upgrade.KubernetesVersion
	case dir == s.Binaries(m):
		return s.Version(m)
	}
	return ""
}
