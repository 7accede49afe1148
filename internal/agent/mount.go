package agent

import (
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
)

// mount is a path of the host that a pod uses under its own name.
type mount struct {
	Path string
	Type corev1.HostPathType
}

// mountsOf are the pod's volumes. A volume that nothing mounts is checked too, as by the kubelet.
func mountsOf(spec corev1.PodSpec) ([]mount, []Problem) {
	paths := map[string]string{}
	var mounts []mount
	var problems []Problem
	for i, volume := range spec.Volumes {
		if volume.HostPath == nil || volume.HostPath.Path == "" {
			problems = append(problems, Problem{fmt.Sprintf("spec.volumes[%d].hostPath", i), "must be set: other volumes are not supported"})
			continue
		}
		m := mount{Path: volume.HostPath.Path}
		if volume.HostPath.Type != nil {
			m.Type = *volume.HostPath.Type
		}
		paths[volume.Name] = m.Path
		mounts = append(mounts, m)
	}
	return mounts, append(problems, mountProblems(paths, spec.Containers[0].VolumeMounts)...)
}

// mountProblems are mounts that a process without a file system of its own can not have.
func mountProblems(paths map[string]string, mounts []corev1.VolumeMount) []Problem {
	var problems []Problem
	for i, m := range mounts {
		field := fmt.Sprintf("spec.containers[0].volumeMounts[%d]", i)
		path, known := paths[m.Name]
		switch {
		case !known:
			problems = append(problems, Problem{field + ".name", fmt.Sprintf("no hostPath volume is named %q", m.Name)})
		case path != m.MountPath:
			why := fmt.Sprintf("%s is not the path on the host, %s: a plain process sees the host's own paths", m.MountPath, path)
			problems = append(problems, Problem{field + ".mountPath", why})
		}
	}
	return problems
}

// prepare makes sure that the path is what the volume says, and makes it if the volume says so, with the
// kubelet's modes.
func (m mount) prepare() error {
	info, err := os.Stat(m.Path)
	if os.IsNotExist(err) {
		return m.create()
	}
	if err != nil && m.Type != corev1.HostPathUnset {
		return fmt.Errorf("check host path: %w", err)
	}
	switch m.Type {
	case corev1.HostPathDirectory, corev1.HostPathDirectoryOrCreate:
		if !info.IsDir() {
			return fmt.Errorf("host path %s is not a directory", m.Path)
		}
	case corev1.HostPathFile, corev1.HostPathFileOrCreate:
		if !info.Mode().IsRegular() {
			return fmt.Errorf("host path %s is not a file", m.Path)
		}
	}
	return nil
}

func (m mount) create() error {
	switch m.Type {
	case corev1.HostPathDirectoryOrCreate:
		return os.MkdirAll(m.Path, 0o755)
	case corev1.HostPathFileOrCreate:
		f, err := os.OpenFile(m.Path, os.O_CREATE|os.O_RDONLY, 0o644)
		if err != nil {
			return err
		}
		return f.Close()
	case corev1.HostPathDirectory, corev1.HostPathFile:
		return fmt.Errorf("host path %s does not exist", m.Path)
	}
	return nil
}
