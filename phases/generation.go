package phases

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// A Verdict is what has become of a generation.
type Verdict string

const (
	// UnderWay is a generation whose run has begun, and not ended: it goes on, or was killed.
	UnderWay Verdict = "begun"
	// Healthy is one that was proved as a whole.
	Healthy Verdict = "healthy"
	// Refused is one that did not get healthy: what ran before it was put back.
	Refused Verdict = "failed"
	// Unwell is one that was found as it was, and was not healthy then.
	Unwell Verdict = "found unhealthy"
)

// generationsKept is how many a master remembers with all their files.
const generationsKept = 5

// A Generation is what runs, or was to run, on this master: of each component the revision and the files that it is
// made of, and the configuration of the cluster by then. It holds the keys of leaf certificates, never those of authorities.
type Generation struct {
	// Number counts from 1.
	Number int `json:"number"`
	// Verb is what made it: init, upgrade apply. "found" is what somebody else has made.
	Verb  string    `json:"verb"`
	Began time.Time `json:"began"`
	// Ended is zero as long as it is under way.
	Ended   time.Time `json:"ended,omitzero"`
	Verdict Verdict   `json:"verdict"`
	// Cause is why it failed.
	Cause string `json:"cause,omitempty"`
	// Version is the Kubernetes version, v1.36.3.
	Version string `json:"version"`
	// Cluster and Kubelet are the ClusterConfiguration and the KubeletConfiguration, as the cluster keeps them.
	Cluster string `json:"cluster,omitempty"`
	Kubelet string `json:"kubelet,omitempty"`
	// Patches are those of its manifests, by the name of the file.
	Patches map[string]string `json:"patches,omitempty"`
	// Components are by name; none while it is under way.
	Components map[string]Revision `json:"components,omitempty"`
}

// A Revision is one component of a generation.
type Revision struct {
	// Revision is the digest that its manifest has, or one of the same kind for a manifest that has none.
	Revision string `json:"revision"`
	// Files are leaf certificates with their keys, kubeconfigs, and last the manifest.
	Files []KeptFile `json:"files"`
}

// A KeptFile is a copy of a file.
type KeptFile struct {
	Path string      `json:"path"`
	Mode fs.FileMode `json:"mode"`
	Data []byte      `json:"data"`
}

func generationsDir(c config.Config) string { return filepath.Join(c.Paths.State, "generations") }

func generationPath(c config.Config, number int) string {
	return filepath.Join(generationsDir(c), strconv.Itoa(number)+".json")
}

var generationName = regexp.MustCompile(`^([0-9]+)\.json$`)

// ReadGenerations reads what ran on this master, oldest first.
func ReadGenerations(h *host.Host, c config.Config) ([]Generation, error) {
	names, err := h.List(generationsDir(c))
	if err != nil {
		return nil, err
	}
	var all []Generation
	for _, name := range names {
		if !generationName.MatchString(name) {
			continue
		}
		path := filepath.Join(generationsDir(c), name)
		f, _, err := h.Read(path)
		if err != nil {
			return nil, err
		}
		var g Generation
		if err := json.Unmarshal(f.Data, &g); err != nil {
			return nil, fmt.Errorf("read %s: %w\nhint: it is a copy of what once ran here; remove it, and there is no way back to that", path, err)
		}
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b Generation) int { return cmp.Compare(a.Number, b.Number) })
	return all, nil
}

func (g Generation) file(c config.Config) (host.File, error) {
	data, err := json.Marshal(g)
	return host.File{Path: generationPath(c, g.Number), Mode: 0o600, Data: append(data, '\n')}, err
}

// manifest is the one among the files; nil if there are none.
func (r Revision) manifest() []byte {
	if len(r.Files) == 0 {
		return nil
	}
	return r.Files[len(r.Files)-1].Data
}

// host are the files as they are written.
func (r Revision) host() []host.File {
	var files []host.File
	for _, f := range r.Files {
		files = append(files, host.File{Path: f.Path, Mode: f.Mode, Data: f.Data})
	}
	return files
}

// same says whether the other has the same running.
func (g Generation) same(other Generation) bool {
	return len(g.Components) > 0 && maps.EqualFunc(g.Components, other.Components, Revision.same)
}

// same says whether the other has the same running: by what the files hold, as a manifest that somebody has edited still has the
// revision that it was made with.
func (r Revision) same(other Revision) bool { return maps.Equal(r.contents(), other.contents()) }

// contents are those of the files by path, the manifest's as what it has run.
func (r Revision) contents() map[string]string {
	all := map[string]string{}
	for i, f := range r.Files {
		all[f.Path] = string(f.Data)
		if i == len(r.Files)-1 {
			all[f.Path] = manifests.Content(f.Data)
		}
	}
	return all
}

// leafs are the pairs and kubeconfigs that belong to one component alone: who changes them restarts it.
func leafs(component string) []string {
	switch component {
	case "etcd":
		return []string{"etcd/server", "etcd/peer", "etcd/healthcheck-client"}
	case "kube-apiserver":
		return []string{"apiserver", "apiserver-kubelet-client", "front-proxy-client", "apiserver-etcd-client"}
	case "kube-controller-manager":
		return []string{"kube-controller-manager", controllerManagerConf}
	}
	return []string{"kube-scheduler", schedulerConf}
}

// paths are where a component's files lie, the manifest last.
func (m Master) componentPaths(component string) []string {
	var paths []string
	for _, name := range leafs(component) {
		if filepath.Ext(name) == ".conf" {
			paths = append(paths, filepath.Join(m.Paths.Kubernetes, name))
			continue
		}
		cert, key := pairPaths(m.Config, name)
		paths = append(paths, key, cert)
	}
	return append(paths, manifestPath(m, component))
}

// revision is the component as it lies on disk; ok is false without a manifest.
func (m Master) revision(component string) (r Revision, ok bool) {
	for _, path := range m.componentPaths(component) {
		f, exists := m.Files[path]
		if exists {
			r.Files = append(r.Files, KeptFile{Path: path, Mode: f.Mode.Perm(), Data: f.Data})
		}
		ok = exists // of the last, which is the manifest
	}
	if !ok {
		return Revision{}, false
	}
	r.Revision = cmp.Or(manifests.RevisionOf(r.Files[len(r.Files)-1].Data), digest(r.Files))
	return r, true
}

// digest is of the kind that Revise gives a manifest.
func digest(files []KeptFile) string {
	sum := sha256.New()
	for _, f := range files {
		fmt.Fprintf(sum, "%s %d\n%s", f.Path, len(f.Data), f.Data)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))[:16]
}

// filesAlone are the revisions of all components that have a manifest.
func (m Master) filesAlone() map[string]Revision {
	all := map[string]Revision{}
	for _, component := range manifests.Components() {
		if r, ok := m.revision(component); ok {
			all[component] = r
		}
	}
	return all
}

// newest is what ran here last, or is to; zero if nothing is known.
func (f Facts) newest() Generation {
	if len(f.Generations) == 0 {
		return Generation{}
	}
	return f.Generations[len(f.Generations)-1]
}

// settled is what ran here last as far as it was proved, or found: neither what is under way, nor what has failed.
func (f Facts) settled() (Generation, bool) {
	for _, g := range slices.Backward(f.Generations) {
		if len(g.Components) > 0 {
			return g, true
		}
	}
	return Generation{}, false
}
