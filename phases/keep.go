package phases

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// foundVerb is the verb of a generation that somebody else has made.
const foundVerb = "found"

// keepEarlier wants what runs now to be remembered before it changes, and that it is about to.
func keepEarlier(m Master) ([]Change, error) {
	if !m.componentsChange() {
		return nil, nil
	}
	var all []Generation
	number := m.newest().Number + 1
	g, found := m.found(number)
	if found {
		all, number = append(all, g), number+1
	}
	if found || !m.goesOn() {
		all = append(all, Generation{Number: number, Verb: m.Living.Verb, Began: m.Now, Verdict: UnderWay, Version: m.Version.Tag()})
	}
	var kept []Change
	for _, g := range all {
		file, err := g.file(m.Config)
		if err != nil {
			return nil, err
		}
		kept = append(kept, Change{Verb: "keep", What: g.String(), Files: []host.File{file}, Diff: m.edits(g)})
	}
	return kept, nil
}

// componentsChange says whether a component is to change. What is wrong with one its own phase tells.
func (m Master) componentsChange() bool {
	return slices.ContainsFunc(manifests.Components(), func(component string) bool {
		changes, err := m.component(component)
		return err == nil && len(changes) > 0
	})
}

// component is what is to change of a component, on a master that lives or comes up.
func (m Master) component(component string) ([]Change, error) {
	if m.Living != nil {
		return changed(component)(m)
	}
	wants := map[string]func(Master) ([]Change, error){
		"etcd": etcdManifest, "kube-apiserver": apiserverManifest, "kube-controller-manager": controllerManagerManifest, "kube-scheduler": schedulerManifest,
	}
	return wants[component](m)
}

// found is a generation of what lies on disk, if nothing is known of it. What a killed run has left is none, unless somebody
// has edited it since.
func (m Master) found(number int) (Generation, bool) {
	was := Master{Config: m.Living.Was, Facts: m.Facts}
	g := Generation{Number: number, Verb: foundVerb, Began: m.Now, Ended: m.Now, Verdict: Healthy, Version: was.Version.Tag(), Components: m.filesAlone()}
	known, whole := m.settled()
	if m.newest().Verdict == UnderWay {
		if !m.editedHalfway(known) {
			return Generation{}, false
		}
		g.Components = maps.Clone(known.Components)
		maps.Copy(g.Components, m.filesAlone())
	}
	if whole && g.same(known) {
		return Generation{}, false
	}
	if len(m.Living.Unwell) > 0 {
		g.Verdict, g.Cause = Unwell, strings.Join(unwellCauses(m.Living.Unwell), "; ")
	}
	g.document(was)
	return g, true
}

// editedHalfway says whether somebody has edited a manifest since a run was killed that this one goes on with: one that changes no
// manifests has left them as they were, or taken them away.
func (m Master) editedHalfway(known Generation) bool {
	if !m.Living.Kept || !m.goesOn() || len(known.Components) == 0 {
		return false
	}
	return slices.ContainsFunc(manifests.Components(), func(component string) bool {
		data, there := m.Manifests[component+".yaml"]
		return there && manifests.Content(data) != manifests.Content(known.Components[component].manifest())
	})
}

// edits is what a generation that was found has otherwise than the one that was known.
func (m Master) edits(g Generation) string {
	known, whole := m.settled()
	if !whole || g.Verb != foundVerb {
		return ""
	}
	var diff strings.Builder
	for _, component := range manifests.Components() {
		was := map[string]host.File{}
		for _, f := range known.Components[component].host() {
			was[f.Path] = f
		}
		for _, f := range g.Components[component].host() {
			if old := was[f.Path]; manifests.Content(old.Data) != manifests.Content(f.Data) {
				diff.WriteString(describe(old, f, m.contextLines()))
			}
		}
	}
	return diff.String()
}

func unwellCauses(unwell map[string]error) []string {
	var all []string
	for component, err := range unwell {
		all = append(all, component+": "+err.Error())
	}
	slices.Sort(all)
	return all
}

// document adds the configuration of the cluster. What can not be written down is not kept: the cluster has it.
func (g *Generation) document(m Master) {
	g.Patches = m.KeptPatches
	if m.Node.Patches != nil {
		g.Patches = m.PatchTexts
	}
	if data, err := m.ClusterDocument(); err == nil {
		g.Cluster = string(data)
	}
	if data, err := yaml.Marshal(m.Config.Kubelet); err == nil {
		g.Kubelet = string(data)
	}
}

// goesOn says that this run finishes what a killed one of the same kind has begun.
func (m Master) goesOn() bool {
	g := m.newest()
	return g.Verdict == UnderWay && g.Verb == m.Living.Verb && g.Version == m.Version.Tag()
}

// keepHealthy wants what runs by then to be remembered as healthy.
func keepHealthy(m Master) ([]Change, error) {
	known, whole := m.settled()
	same := whole && known.Verdict == Healthy && known.same(Generation{Components: m.filesAlone()}) && m.newest().Verdict != UnderWay
	if same && !m.componentsChange() {
		return nil, nil
	}
	return []Change{{Verb: "keep", What: "what runs here, as healthy", online: true, do: func(ctx context.Context, s Site) error {
		return m.judgeGeneration(ctx, s, Healthy, "")
	}}}, nil
}

// judgeGeneration gives the generation that is under way its verdict, and a healthy one its files. Where none is under way,
// what is on disk is a new one.
func (m Master) judgeGeneration(ctx context.Context, s Site, verdict Verdict, cause string) error {
	all, err := ReadGenerations(s.Host, m.Config)
	if err != nil {
		return err
	}
	m.Generations = all
	g := m.newest()
	if g.Verdict != UnderWay {
		g = Generation{Number: g.Number + 1, Verb: s.verb, Began: m.Now, Version: m.Version.Tag()}
	}
	g.Verdict, g.Cause, g.Ended = verdict, cause, time.Now()
	if verdict == Healthy {
		if err := m.read(s.Host, m.Config); err != nil {
			return err
		}
		g.Components = m.filesAlone()
		g.document(m)
	}
	return m.writeGenerations(ctx, s.Host, g)
}

// writeGenerations writes one, and takes their files from those that are too many: what they were is remembered all the same.
func (m Master) writeGenerations(ctx context.Context, h *host.Host, newest Generation) error {
	if err := h.Mkdir(generationsDir(m.Config), 0o700); err != nil {
		return err
	}
	changed := []Generation{newest}
	whole := min(1, len(newest.Components)) // one that has failed has no files
	for _, g := range slices.Backward(m.Generations) {
		if len(g.Components) == 0 || g.Number == newest.Number {
			continue
		}
		if whole++; whole > generationsKept {
			g.Components, g.Patches, g.Cluster, g.Kubelet = nil, nil, "", ""
			changed = append(changed, g)
		}
	}
	var files []host.File
	for _, g := range changed {
		file, err := g.file(m.Config)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	return h.Commit(ctx, files...)
}

// String is the generation in a few words.
func (g Generation) String() string {
	return fmt.Sprintf("generation %d (%s, %s)", g.Number, g.Verb, g.Version)
}
