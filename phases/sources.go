package phases

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// wantedPods are the pods that the plan is about, of all components that can be rendered: of another the phase that wants it
// tells what is wrong.
func (m Master) wantedPods() []*corev1.Pod {
	var pods []*corev1.Pod
	if m.PKI.Pairs[clusterCA].Cert == nil {
		return nil
	}
	for _, component := range manifests.Components() {
		if pod, err := m.podToBe(component); err == nil {
			pods = append(pods, pod)
		}
	}
	return pods
}

// podToBe is the component's pod as it is to be: by the configuration, or as it is, or as it was.
func (m Master) podToBe(component string) (*corev1.Pod, error) {
	if m.Living != nil && m.Living.Back != nil {
		return manifests.Decode(m.Living.Back.Components[component].manifest())
	}
	return m.wantedPod(component)
}

// readSources finds out what lies where the pods mount something, or read it.
func (m *Master) readSources(h *host.Host) {
	m.Sources = map[string]Known[host.Kind]{}
	for _, pod := range m.wantedPods() {
		for _, v := range hostPaths(pod) {
			m.Sources[v.Path] = looked(h, v.Path)
		}
		for _, input := range manifests.Inputs(pod) {
			path := m.onHost(input)
			m.Sources[path] = looked(h, path)
		}
	}
}

func looked(h *host.Host, path string) Known[host.Kind] {
	kind, err := h.Look(path)
	switch {
	case err != nil:
		return Unknown[host.Kind](err)
	case kind == "":
		return Absent[host.Kind]()
	}
	return There(kind)
}

// onHost is where an input lies on the machine, "" if no volume has it. A process of the host sees all that the host has.
func (m Master) onHost(input manifests.Input) string {
	if m.Rootless {
		return cmp.Or(input.Host, input.Path)
	}
	return input.Host
}

// sourcesThere looks at all that the pods mount, and at all files that their flags name: what is not there keeps a pod from
// starting, without a word in its log, or ends it at once. What tripod writes itself counts as there.
func sourcesThere(m Master) []finding {
	var found []finding
	written, err := m.written()
	if err != nil {
		return nil // the phase that wants them tells why
	}
	for _, pod := range m.wantedPods() {
		s := sources{m, pod, written}
		for _, v := range hostPaths(pod) {
			found = append(found, s.mounts(v)...)
		}
		for _, input := range manifests.Inputs(pod) {
			found = append(found, s.reads(input)...)
		}
	}
	slices.SortStableFunc(found, func(a, b finding) int { return strings.Compare(a.id, b.id) })
	return slices.CompactFunc(found, func(a, b finding) bool { return a.id == b.id })
}

// written are the files that tripod writes for the pods, by path.
func (m Master) written() (map[string][]byte, error) {
	m.Inputs = nil // those are the user's
	files, err := m.contents()
	if err == nil && m.Living != nil && m.Living.Back != nil {
		for _, r := range m.Living.Back.Components {
			for _, f := range r.host() {
				files[f.Path] = f.Data
			}
		}
	}
	return files, err
}

// sources are what one pod has of the host.
type sources struct {
	Master
	pod     *corev1.Pod
	written map[string][]byte
}

// writes says whether tripod writes the file, or something below the directory.
func (s sources) writes(path string) bool {
	for file := range s.written {
		if file == path || strings.HasPrefix(file, strings.TrimSuffix(path, "/")+"/") {
			return true
		}
	}
	return false
}

// hostPath is a volume of the host.
type hostPath struct {
	Name, Path string
	Type       corev1.HostPathType
}

func hostPaths(pod *corev1.Pod) []hostPath {
	var all []hostPath
	for _, v := range pod.Spec.Volumes {
		if v.HostPath == nil {
			continue
		}
		h := hostPath{Name: v.Name, Path: v.HostPath.Path}
		if v.HostPath.Type != nil {
			h.Type = *v.HostPath.Type
		}
		all = append(all, h)
	}
	return all
}

// kind is what has to lie at the path of the volume, "" if that does not matter.
func (v hostPath) kind() host.Kind {
	return map[corev1.HostPathType]host.Kind{
		corev1.HostPathDirectory: host.Directory, corev1.HostPathDirectoryOrCreate: host.Directory,
		corev1.HostPathFile: host.RegularFile, corev1.HostPathFileOrCreate: host.RegularFile,
		corev1.HostPathSocket: host.Socket, corev1.HostPathCharDev: host.CharacterDevice, corev1.HostPathBlockDev: host.BlockDevice,
	}[v.Type]
}

// made says that whoever runs the pod makes what the volume lacks.
func (v hostPath) made() bool {
	return v.kind() == "" || v.Type == corev1.HostPathDirectoryOrCreate || v.Type == corev1.HostPathFileOrCreate
}

// mounts finds a volume whose source is not there, or is something else than it says. The mark of etcd's data has a check
// of its own.
func (s sources) mounts(v hostPath) []finding {
	source, asked := s.Sources[v.Path]
	kind, there := source.Value()
	f := finding{id: pathID("FileExisting", v.Path)}
	as := fmt.Sprintf("%s mounts it (volume %s, pathType %s)", s.pod.Name, v.Name, v.Type)
	switch {
	case !asked || v.kind() == "" || v.Path == markPath(s.Config) || s.writes(v.Path):
		return nil
	case source.Err() != nil:
		f.problem = fmt.Sprintf("what lies at %s can not be told, and %s: %v", v.Path, as, source.Err())
	case there && kind != v.kind():
		f.problem = fmt.Sprintf("%s is a %s, and %s", v.Path, kind, as)
	case !there && !v.made():
		f.problem, f.hint = fmt.Sprintf("%s is not there, and %s", v.Path, as), s.whence()
	default:
		return nil
	}
	return []finding{f}
}

// reads finds an input that the component can not read: in none of its volumes, or not there.
func (s sources) reads(input manifests.Input) []finding {
	path := s.onHost(input)
	source, asked := s.Sources[path]
	kind, there := source.Value()
	f := finding{id: pathID("FileExisting", path)}
	as := fmt.Sprintf("%s is to read it (--%s)", input.Component, input.Flag)
	switch {
	case path == "" && !mounted(s.pod, input):
		f.id = pathID("FileMounted", input.Path)
		f.problem = fmt.Sprintf("none of %s's volumes has %s, and %s", input.Component, input.Path, as)
		f.hint = "mount it: extraVolumes of the component; if the image itself has it: --ignore-preflight-errors=" + f.id
	case path == "" || !asked || s.writes(path) || made(s.pod, path):
		return nil
	case source.Err() != nil:
		f.problem = fmt.Sprintf("what lies at %s can not be told, and %s: %v", path, as, source.Err())
	case there && kind == host.Directory:
		f.problem = fmt.Sprintf("%s is a directory, and %s", path, as)
	case !there:
		f.problem, f.hint = fmt.Sprintf("%s is not there, and %s", path, as), s.whence()
	default:
		return nil
	}
	return []finding{f}
}

// mounted says whether a volume that is not the host's has the input: what is in it nobody knows before the pod runs.
func mounted(pod *corev1.Pod, input manifests.Input) bool {
	for _, c := range pod.Spec.Containers {
		if c.Name == input.Component && manifests.Mounted(c.VolumeMounts, input.Path) != nil {
			return true
		}
	}
	return false
}

// made says whether a volume of the pod has the file made where it is not there.
func made(pod *corev1.Pod, path string) bool {
	return slices.ContainsFunc(hostPaths(pod), func(v hostPath) bool { return v.Type == corev1.HostPathFileOrCreate && v.Path == path })
}

// whence is where a file that is missing may come from.
func (m Master) whence() string {
	if m.role() == further {
		return "copy it from another master"
	}
	return "put it there first, or take it out of the configuration"
}
