package phases

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"tripod.dev/tripod/internal/etcd"
)

// mayClean refuses to remove what a member of etcd needs, unless the user says that it may go, and what is others'.
func mayClean(m Master) ([]string, error) {
	if err := dirsOwn(m); err != nil {
		return nil, err
	}
	d, skipped := m.departure(), m.skips(leaveEtcdPhase)
	switch {
	case d.err != nil && !skipped:
		return nil, &PreflightError{m.stays(d.err)}
	case d.member != nil && skipped:
		return []string{fmt.Sprintf("etcd member %s stays in its cluster, and dead\nhint: on another master, tripod etcd member remove %s", d.member, etcd.FormatID(d.member.ID))}, nil
	case d.err != nil:
		line, _, _ := strings.Cut(d.err.Error(), "\n")
		return []string{"this master's etcd member may stay in its cluster, and dead: " + line}, nil
	}
	return nil, nil
}

// cleanNode wants everything gone that init and join have made: first what starts something, then what runs, then what
// that has written, and last what tripod knows of it. The kubelet ends before it sees that static pods are gone: it would
// end them all at once, and an apiserver without its etcd takes all the time that it is given.
func cleanNode(m Master) ([]Change, error) {
	wanted := slices.Concat(
		m.remove(m.startsKubelet()), m.stopKubelet(),
		m.clear("the static pods", m.Paths.Manifests),
		m.endPods(), m.unmount(),
		m.clearEtcd(),
		m.clear("the kubelet's files", m.Paths.Kubelet),
		m.remove(m.kubeconfigs()),
		m.clear("the certificates", m.Paths.PKI),
		m.clearTmp(),
	)
	if len(wanted) == 0 {
		return m.clear("what tripod knows of this machine", m.Paths.State), nil
	}
	remember, err := m.record()
	return slices.Concat(m.confirmLeft(), remember, wanted, clearing("what tripod knows of this machine", m.Paths.State)), err
}

// startsKubelet are the files that those who start a kubelet wait for.
func (m Master) startsKubelet() []string {
	return m.there(filepath.Join(m.Paths.Kubernetes, "bootstrap-kubelet.conf"), kubeletConfPath(m.Config), filepath.Join(m.Paths.Kubelet, "config.yaml"))
}

// kubeconfigs are all others, and what killed runs have left beside them.
func (m Master) kubeconfigs() []string {
	var paths []string
	for _, name := range []string{adminConf, superAdminConf, controllerManagerConf, schedulerConf} {
		paths = append(paths, filepath.Join(m.Paths.Kubernetes, name))
	}
	return append(m.there(paths...), m.Leaving.Staged...)
}

// there are those of the files that exist.
func (m Master) there(paths ...string) []string {
	return slices.DeleteFunc(paths, func(path string) bool { return !m.has(path) })
}

func (m Master) clearTmp() []Change {
	if !m.Reset.CleanupTmpDir {
		return nil
	}
	return m.clear("temporary files", tmpDir(m.Config))
}

// clear wants a directory empty; nothing if it is.
func (m Master) clear(what, dir string) []Change {
	if m.Survey.Dirs[dir].Entries == 0 {
		return nil
	}
	return clearing(what, dir)
}
