package phases

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/manifests"
)

// The cluster keeps patches, so that they need not be given again whenever a manifest is written: those of one master, which
// init, join and upgrade were given, and those of all masters, which apply was given. A master's own come first.
const sharedPatchesName = "tripod-patches"

func patchesOf(node string) *unstructured.Unstructured {
	if node == "" {
		return cluster.ConfigMap("kube-system", sharedPatchesName)
	}
	return cluster.ConfigMap("kube-system", sharedPatchesName+"-"+node)
}

// ownPatches wants the cluster to keep the patches that this master was given.
func ownPatches(m Master) ([]*unstructured.Unstructured, error) {
	return m.keptPatches(m.Node.Registration.Name)
}

// changedPatches wants it to keep those that a change was given: apply's are for all masters.
func changedPatches(m Master) ([]*unstructured.Unstructured, error) {
	if m.Living.Verb == applyVerb {
		return m.keptPatches("")
	}
	return ownPatches(m)
}

// applyVerb is the verb whose patches are for all masters.
const applyVerb = "apply"

func (m Master) keptPatches(node string) ([]*unstructured.Unstructured, error) {
	if m.Node.Patches == nil || m.Node.Patches.Directory == "" {
		return nil, nil
	}
	data, err := yaml.Marshal(m.PatchTexts)
	if err != nil {
		return nil, fmt.Errorf("encoding the patches: %w", err)
	}
	object := patchesOf(node)
	object.Object["data"] = map[string]any{"patches": string(data)}
	return []*unstructured.Unstructured{object}, nil
}

// readKeptPatches reads the patches that the cluster keeps for a master.
func readKeptPatches(ctx context.Context, client *cluster.Client, node string) (map[string]string, error) {
	for _, like := range []*unstructured.Unstructured{patchesOf(node), patchesOf("")} {
		live, err := client.Get(ctx, like)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, unread(like, err)
		}
		texts := map[string]string{}
		if err := yaml.Unmarshal(data(live, "patches"), &texts); err != nil {
			return nil, fmt.Errorf("reading %s: %w\nhint: give the patches anew (tripod apply --patches), or delete it", objectKey(like), err)
		}
		return texts, nil
	}
	return nil, nil
}

// readPatches reads the directory of patches that the configuration names, or takes those that are kept.
func (f *Facts) readPatches(c config.Config) error {
	f.PatchTexts, f.Patches = f.KeptPatches, nil
	where := "the cluster's patches"
	if c.Node.Patches != nil && c.Node.Patches.Directory != "" {
		where = c.Node.Patches.Directory
		texts, err := ReadPatchDir(where)
		if err != nil {
			return err
		}
		f.PatchTexts = texts
	}
	var errs *multierror.Error
	for _, name := range slices.Sorted(maps.Keys(f.PatchTexts)) {
		patch, err := manifests.ParsePatchFile(name, []byte(f.PatchTexts[name]))
		if err != nil {
			errs = multierror.Append(errs, fmt.Errorf("%s: %w", where, err))
			continue
		}
		f.Patches = append(f.Patches, patch)
	}
	if errs != nil {
		return &InputError{errs}
	}
	return nil
}

// ReadPatchDir are the texts of a directory's files by their names.
func ReadPatchDir(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, &InputError{fmt.Errorf("reading patches: %w", err)}
	}
	texts := map[string]string{}
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		texts[e.Name()] = string(data)
	}
	return texts, nil
}
