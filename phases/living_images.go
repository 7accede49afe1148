package phases

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/manifests"
)

// expect has the kubelet know the images of what is to run, patches included.
func (m Master) expect(s Site) error {
	if s.Kubelet == nil || !m.isMaster() {
		return nil
	}
	images, unpulled := map[string]string{}, map[string]bool{}
	for _, component := range manifests.Components() {
		c, err := m.wantedContainer(component)
		if err != nil {
			return &InputError{err}
		}
		images[component], unpulled[component] = c.Image, c.ImagePullPolicy == corev1.PullNever
	}
	s.Kubelet.Expect(images, unpulled)
	return nil
}

// wantedContainer is the one that is to run of a component.
func (m Master) wantedContainer(component string) (corev1.Container, error) {
	var pod *corev1.Pod
	var err error
	if back := m.Living.Back; back != nil {
		path := generationPath(m.Config, back.Number)
		pod, err = decoded(component, back.Components[component].manifest(), path, "tripod history shows what else there is to go back to")
	} else {
		pod, err = m.wantedPod(component)
	}
	if err != nil {
		return corev1.Container{}, err
	}
	return *manifests.Container(pod), nil
}

// decoded is a component's manifest that was read from disk. The error names the file, and the way out.
func decoded(component string, manifest []byte, path, hint string) (*corev1.Pod, error) {
	pod, err := manifests.Decode(manifest)
	if err == nil && pod.Name != component {
		err = fmt.Errorf("it describes the pod %s", pod.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w\nhint: %s", component, path, err, hint)
	}
	return pod, nil
}

// earlierPod is the component's pod by its earlier manifest.
func (m Master) earlierPod(component string) (*corev1.Pod, error) {
	return decoded(component, m.earlierManifest(component), manifestPath(m, component),
		"put the whole file back, or move it out of that directory: tripod then takes its copy of what ran here (tripod history)")
}

// changedImages wants the images of what is to run on this machine, those that patches name included.
func changedImages(m Master) ([]Change, error) {
	changes, err := missingImages(m)
	policy := m.Node.Registration.ImagePullPolicy
	if err != nil || m.Rootless || !m.isMaster() || policy == "Never" || ignored(m, "ImagePull") {
		return changes, err
	}
	for _, component := range manifests.Components() {
		c, err := m.wantedContainer(component)
		if err != nil {
			return nil, err
		}
		if c.ImagePullPolicy == corev1.PullNever || slices.Contains(images(m.Config), c.Image) {
			continue
		}
		wanted := pull(c.Image)
		wanted.do = func(ctx context.Context, s Site) error {
			if has, err := s.Kubelet.HasImage(ctx, c.Image); has && err == nil {
				return nil
			}
			return s.Kubelet.Pull(ctx, c.Image)
		}
		changes = append(changes, wanted)
	}
	return changes, nil
}
