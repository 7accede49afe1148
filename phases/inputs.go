package phases

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

const (
	// inputLimit is how large an input is read whole: configuration is smaller, and of anything larger its digest does.
	inputLimit = 1 << 20
	// inputDepth is how many files lead from one to the next: admission's configuration, a plugin's, its kubeconfig, its certificate.
	inputDepth = 4
)

// readInputs reads the user's files that the pods' flags name, as a component that is to read a new one has to be started anew,
// and those that these name in turn. A log or anything else that the components write is none of them. What tripod
// writes itself is planned, not read.
func (m *Master) readInputs(h *host.Host) error {
	m.Inputs = map[string][]byte{}
	if m.PKI.Pairs[clusterCA].Cert == nil {
		return nil
	}
	contents, err := m.contents()
	if err != nil {
		return nil // the phases of these keys tell why
	}
	for _, component := range manifests.Components() {
		pod, err := m.wantedPod(component)
		if err != nil {
			continue // its own phase tells why
		}
		for _, input := range manifests.Inputs(pod) {
			if err := m.readInput(h, pod, input, contents); err != nil {
				return err
			}
		}
	}
	return nil
}

// readInput reads an input, and those that it names.
func (m *Master) readInput(h *host.Host, pod *corev1.Pod, input manifests.Input, ours map[string][]byte) error {
	next := []manifests.Input{input}
	for range inputDepth {
		var named []manifests.Input
		for _, each := range next {
			if _, planned := ours[each.Path]; planned || each.Host == "" {
				continue
			}
			data, there, err := inputFile(h.Path(each.Host))
			if err != nil {
				return &InputError{fmt.Errorf("%s reads %s (--%s): %w", each.Component, each.Host, each.Flag, err)}
			}
			if there {
				m.Inputs[each.Path] = data
				named = append(named, manifests.NamedInputs(pod, each, data)...)
			}
		}
		next = named
	}
	return nil
}

// inputFile is the content of a file, or the digest of one that is large; there is none of a directory, a socket or a pipe,
// which are not opened.
func inputFile(path string) (data []byte, there bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	if info.Size() <= inputLimit {
		data, err = io.ReadAll(io.LimitReader(f, inputLimit))
		return data, err == nil, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return nil, false, err
	}
	return fmt.Appendf(nil, "sha256:%x", sum.Sum(nil)), true, nil
}
