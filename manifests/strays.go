package manifests

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// A Stray is a file of the manifest directory that does not belong there.
type Stray struct {
	Name string
	// Reason says why, in words that follow the name.
	Reason string
}

// String is the stray in a line.
func (s Stray) String() string { return s.Name + " " + s.Reason }

// Strays are the files of a manifest directory, given by name, that do not belong there, in the order of
// their names. The kubelet runs every file whose name does not begin with a dot, whatever its
// extension, and of two files that name the same pod the later wins. So only two kinds of file belong there:
// the four manifests under their own names, and manifests of other pods.
func Strays(directory map[string][]byte) []Stray {
	var strays []Stray
	for _, name := range slices.Sorted(maps.Keys(directory)) {
		if strings.HasPrefix(name, ".") {
			continue
		}
		if reason := astray(name, directory[name]); reason != "" {
			strays = append(strays, Stray{name, reason})
		}
	}
	return strays
}

// astray says why a file does not belong in the directory, "" if it does.
func astray(name string, data []byte) string {
	component, extension := strings.TrimSuffix(name, filepath.Ext(name)), filepath.Ext(name)
	if extension == ".yaml" && slices.Contains(Components(), component) {
		return "" // what is in it does not matter: it will be replaced whole
	}
	pod, err := identify(data)
	switch {
	case err != nil:
		return fmt.Sprintf("is not the manifest of a pod (%v); the kubelet reads every file here whose name does not begin with a dot", err)
	case pod.Namespace == "kube-system" && slices.Contains(Components(), pod.Name):
		return fmt.Sprintf("also names the pod %s of %s.yaml; of two such files the kubelet runs the later", pod.Name, pod.Name)
	case !slices.Contains([]string{".yaml", ".yml", ".json"}, extension):
		return fmt.Sprintf("names the pod %s and looks like a copy; the kubelet runs it whatever its extension", pod.Name)
	}
	return ""
}

// identify decodes a manifest as the kubelet does: unknown fields are passed over.
func identify(data []byte) (*corev1.Pod, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("it is empty")
	}
	var pod corev1.Pod
	if err := yaml.Unmarshal(data, &pod); err != nil {
		return nil, err
	}
	if pod.APIVersion != "v1" || pod.Kind != "Pod" {
		return nil, fmt.Errorf("its kind is %q of %q", pod.Kind, pod.APIVersion)
	}
	if pod.Name == "" {
		return nil, errors.New("it has no name")
	}
	return &pod, nil
}
