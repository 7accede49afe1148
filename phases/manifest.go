package phases

import (
	"maps"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// manifest wants the pod in the manifest directory, with a revision that covers the files which it reads.
func (m Master) manifest(pod *corev1.Pod) ([]Change, error) {
	if err := m.probesAnswered(pod); err != nil && (m.Living == nil || !m.Living.Kept) {
		return nil, err
	}
	contents, err := m.contents()
	if err != nil {
		return nil, err
	}
	named := inputs(pod, contents)
	if err := manifests.Revise(pod, named); err != nil {
		return nil, err
	}
	data, err := manifests.Encode(pod)
	if err != nil {
		return nil, err
	}
	file := host.File{Path: filepath.Join(m.Paths.Manifests, pod.Name+".yaml"), Mode: 0o600, Data: data}
	if before := m.manifestBefore(pod.Name); before != nil {
		data = before
	}
	return needing(m.run(pod.Name, file), slices.Sorted(maps.Keys(named))...), nil
}

// run is the change of a pod's manifest. It also is one where the file is right but another revision runs: a run
// that was killed before the old pod had ended.
func (m Master) run(component string, file host.File) []Change {
	changes := write(m, file)
	if m.isUp() || m.mayBeUp() != nil {
		return changes
	}
	runs := m.Running[component].Revision
	other := runs != "" && runs != manifests.RevisionOf(file.Data)
	if len(changes) == 0 && other {
		changes = []Change{{Verb: "replace", What: file.Path, Files: []host.File{file}, Diff: "(revision " + runs + " still runs)\n"}}
	}
	for i, c := range changes {
		if other || len(c.old) > 0 {
			changes[i].pod = component
		}
	}
	return changes
}

// inputs are those of the files by path that the pod's flags name, and that these name in turn.
func inputs(pod *corev1.Pod, contents map[string][]byte) map[string][]byte {
	read := map[string][]byte{}
	for next := manifests.Inputs(pod); len(next) > 0; next = next[1:] {
		data, exists := contents[next[0].Path]
		if _, again := read[next[0].Path]; exists && !again {
			read[next[0].Path] = data
			next = append(next, manifests.NamedInputs(pod, next[0], data)...)
		}
	}
	return read
}

// contents are the files, by path, that a master's pods may read: as planned, and as found for those that are the user's.
func (m Master) contents() (map[string][]byte, error) {
	files := maps.Clone(m.Inputs)
	if files == nil {
		files = map[string][]byte{}
	}
	for name, p := range m.PKI.Pairs {
		if _, embedded := m.PKI.Kubeconfigs[name]; embedded {
			continue
		}
		cert, key := pairPaths(m.Config, name)
		keyPEM, err := p.KeyPEM()
		if err != nil {
			return nil, err
		}
		files[cert], files[key] = p.CertPEM(), keyPEM
	}
	for name, data := range m.PKI.Kubeconfigs {
		files[filepath.Join(m.Paths.Kubernetes, name)] = data
	}
	files[filepath.Join(m.Paths.PKI, "sa.key")] = m.PKI.SA.PrivatePEM()
	files[filepath.Join(m.Paths.PKI, "sa.pub")] = m.PKI.SA.PublicPEM()
	return files, nil
}
