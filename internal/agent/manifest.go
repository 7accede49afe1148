package agent

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// decode reads one v1 Pod from YAML or JSON. Unlike the kubelet it knows every field or fails:
// a misspelled field would otherwise be ignored silently.
func decode(data []byte) (*corev1.Pod, error) {
	if err := single(data); err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register v1: %w", err)
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	object, _, err := strict.Decode(data, nil, nil)
	if err != nil {
		return nil, err
	}
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return nil, fmt.Errorf("is a %s, not a v1 Pod", object.GetObjectKind().GroupVersionKind().Kind)
	}
	return pod, nil
}

// single refuses a second document, which a decoder of one object would not even look at.
func single(data []byte) error {
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	filled := 0
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("split documents: %w", err)
		}
		if hasContent(document) {
			filled++
		}
	}
	if filled != 1 {
		return fmt.Errorf("holds %d documents, not one pod", filled)
	}
	return nil
}

// hasContent tells a document from one of blank lines, comments and separators.
func hasContent(document []byte) bool {
	for line := range bytes.Lines(document) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && !bytes.Equal(line, []byte("---")) {
			return true
		}
	}
	return false
}
