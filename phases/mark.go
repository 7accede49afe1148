package phases

import (
	"context"
	"path/filepath"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
)

// The mark is a file among etcd's data that the member's pod mounts. Where the data have vanished, as with a disk that is
// not mounted, it has, too, and the pod does not start, with nobody's help. etcd itself would begin again with nothing: as
// a cluster of its own, or as a voter that has forgotten what it has acknowledged.
//
// A kubelet that begins with the pod wants the file to be there (the volume's type). One that starts the container again does not look,
// and the container runtime makes a directory of that name: so the mark is mounted onto a file, which a directory can't be.

// memberDir is where etcd keeps log and database.
func memberDir(c config.Config) string { return filepath.Join(c.Paths.EtcdData, "member") }

func markPath(c config.Config) string { return filepath.Join(memberDir(c), "tripod.mark") }

// etcdDirs are the directories by which it can be told whether there are data.
func etcdDirs(c config.Config) []string {
	member := memberDir(c)
	return []string{member, filepath.Join(member, "wal"), filepath.Join(member, "snap"), markPath(c)}
}

// markMount is where the pod has the mark: at a file beside etcd's certificates. A host process has no other place than the mark's own.
func (m Master) markMount() string {
	if m.Rootless {
		return markPath(m.Config)
	}
	return filepath.Join(m.Paths.PKI, "etcd", "data.mark")
}

// dataMark wants the mark, and what it is mounted onto.
func (m Master) dataMark() []Change {
	const text = "Without this file etcd's static pod does not start: its data are not here.\n"
	path := markPath(m.Config)
	var changes []Change
	if m.Survey.Dirs[path].Exists {
		changes = append(changes, Change{Verb: "remove", What: path + "/, which the container runtime has made", do: func(_ context.Context, s Site) error {
			return s.Host.Remove(path)
		}})
	}
	if onto := m.markMount(); onto != path {
		changes = append(changes, write(m, host.File{Path: onto, Mode: 0o600, Data: []byte(text)})...)
	}
	return append(changes, write(m, host.File{Path: path, Mode: 0o600, Data: []byte(text)})...)
}
