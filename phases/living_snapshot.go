package phases

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/manifests"
)

// snapshotsKept is how many snapshots of etcd lie in the state directory.
const snapshotsKept = 3

func snapshotDir(c config.Config) string { return filepath.Join(c.Paths.State, "snapshots") }

// saveEtcd wants a snapshot before etcd itself or a minor version of Kubernetes changes: neither can be taken back by
// putting back a manifest.
func saveEtcd(m Master) ([]Change, error) {
	if !m.savesEtcd() {
		return nil, nil
	}
	dir := snapshotDir(m.Config)
	return []Change{{Verb: "save", What: "a verified snapshot of etcd in " + dir, do: func(ctx context.Context, s Site) error {
		if err := s.Host.Mkdir(dir, 0o700); err != nil {
			return err
		}
		member, err := etcd.Dial(ctx, m.etcdEndpoint(), m.trust()["etcd"])
		if err != nil {
			return err
		}
		defer member.Close()
		if _, err := member.Snapshot(ctx, s.Host.Path(dir), m.Now, s.tell); err != nil {
			return err
		}
		return etcd.Prune(s.Host.Path(dir), snapshotsKept)
	}}}, nil
}

// savesEtcd says whether a snapshot is due. Of a member that is not healthy there is none to be had.
func (m Master) savesEtcd() bool {
	changes, err := changed("etcd")(m)
	self, there := m.self()
	if err != nil || !there || self.Err != nil {
		return false
	}
	images := manifests.Images(m.earlierManifest("etcd"))
	restarts := slices.ContainsFunc(changes, func(c Change) bool { return c.pod != "" })
	return restarts && !m.Living.Kept && images["etcd"] != m.Image("etcd") || m.minorChanges()
}

// minorChanges says whether the apiserver here is to be of another minor version.
func (m Master) minorChanges() bool {
	v, known := m.runs("kube-apiserver")
	if !known && !m.Living.Kept { // it may be
		changes, err := changed("kube-apiserver")(m)
		return err == nil && len(changes) > 0 && len(m.earlierManifest("kube-apiserver")) > 0
	}
	return known && !m.Living.Kept && (v.Major != m.Version.Major || v.Minor != m.Version.Minor)
}

// snapshotRoom wants room for the snapshot before anything is begun.
func snapshotRoom(m Master) []finding {
	if !m.savesEtcd() {
		return nil
	}
	self, _ := m.self()
	if err := etcd.Room(self.DBSize, m.Survey.Dirs[snapshotDir(m.Config)].FreeBytes); err != nil {
		return []finding{{id: "DiskSpace", problem: fmt.Sprintf("a snapshot of etcd in %s: %v", snapshotDir(m.Config), err)}}
	}
	return nil
}
