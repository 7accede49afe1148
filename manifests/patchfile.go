package manifests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// A PatchFile is one file of a --patches directory.
type PatchFile struct {
	// Name is the file's name without its directory: target[suffix][+type].extension.
	Name string
	// Target is what is patched: one of the four components, kubeletconfiguration or corednsdeployment.
	Target string
	// Type is strategic merge (the default), merge or JSON patch.
	Type types.PatchType
	// Documents are the patches in the file, as JSON; none if it is empty.
	Documents [][]byte
}

// patchTargets are what kubeadm can patch (cmd/kubeadm/app/util/patches/patches.go).
func patchTargets() []string {
	return append(Components(), "kubeletconfiguration", "corednsdeployment")
}

// ParsePatchFile reads a file of a --patches directory as kubeadm does, but where kubeadm passes
// over a file whose name it does not understand, it is an error here: a patch that is not applied is
// rarely what was meant.
func ParsePatchFile(name string, data []byte) (PatchFile, error) {
	target, kind, err := parsePatchName(name)
	if err != nil {
		return PatchFile{}, fmt.Errorf("patch file %s: %w", name, err)
	}
	documents, err := patchDocuments(data)
	if err != nil {
		return PatchFile{}, fmt.Errorf("patch file %s: %w", name, err)
	}
	return PatchFile{Name: name, Target: target, Type: kind, Documents: documents}, nil
}

// parsePatchName takes TARGET[SUFFIX][+TYPE].EXTENSION apart.
func parsePatchName(name string) (target string, kind types.PatchType, err error) {
	parts := regexp.MustCompile(`^([^.+]*)(?:\+([^.]*))?\.(json|yaml)$`).FindStringSubmatch(name)
	if parts == nil {
		return "", "", errors.New("the name is not TARGET[SUFFIX][+strategic|merge|json] with extension .yaml or .json")
	}
	targets := patchTargets()
	i := slices.IndexFunc(targets, func(t string) bool { return strings.HasPrefix(parts[1], t) })
	if i < 0 {
		return "", "", fmt.Errorf("unknown target %q, must begin with one of %s", parts[1], strings.Join(targets, ", "))
	}
	switch {
	case parts[2] == "merge":
		kind = types.MergePatchType
	case parts[2] == "json":
		kind = types.JSONPatchType
	case parts[2] == "strategic" || !strings.Contains(name, "+"):
		kind = types.StrategicMergePatchType
	default:
		return "", "", fmt.Errorf("unknown patch type %q, must be strategic, merge or json", parts[2])
	}
	return targets[i], kind, nil
}

// patchDocuments splits a YAML stream; documents without content are left out.
func patchDocuments(data []byte) ([][]byte, error) {
	var documents [][]byte
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for n := 1; ; n++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, err
		}
		patch, err := yaml.YAMLToJSONStrict(document)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		if string(patch) != "null" {
			documents = append(documents, patch)
		}
	}
}
