package phases

import (
	"cmp"
	"fmt"
	"path/filepath"
)

// staticPodsID is the check that a kubelet runs what lies in the manifest directory.
const staticPodsID = "StaticPodPath"

// staticPods refuses a kubelet that is to look for static pods elsewhere than tripod writes them: by the cluster's
// configuration, by patches, or by a flag.
func staticPods(m Master) []finding {
	document, err := kubeletConfiguration(m)
	if err != nil {
		return nil // the phase that wants it tells why
	}
	path, _ := document["staticPodPath"].(string)
	source := "its configuration"
	for _, arg := range m.Node.Registration.KubeletExtraArgs {
		if arg.Name == "pod-manifest-path" {
			path, source = arg.Value, "the flag --"+arg.Name
		}
	}
	return m.watched(path, source)
}

// staticPodsHere refuses to change a master whose kubelet does not look where its manifests are, or would not any more.
func staticPodsHere(m Master) []finding {
	if !m.isMaster() {
		return nil
	}
	if err := m.Survey.KubeletErr; err != nil {
		return []finding{{id: staticPodsID, problem: err.Error()}}
	}
	found := m.watched(m.Survey.Kubelet.Manifests, "what it runs with")
	if changes, err := changedKubelet(m); err == nil && len(changes) > 0 {
		found = append(found, staticPods(m)...)
	}
	return found
}

// watched is a finding where a path is not that of the manifest directory.
func (m Master) watched(path, source string) []finding {
	if path != "" && filepath.Clean(path) == filepath.Clean(m.Paths.Manifests) {
		return nil
	}
	return []finding{{id: staticPodsID, problem: fmt.Sprintf("the kubelet looks for static pods in %s by %s, and a master's are in %s", cmp.Or(path, "no directory"), source, m.Paths.Manifests),
		hint: "set staticPodPath: " + m.Paths.Manifests}}
}
