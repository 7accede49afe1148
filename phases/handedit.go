package phases

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"tripod.dev/tripod/manifests"
)

// handEdits tells of what somebody has added to manifests by hand whether it goes or stays, before anything is changed.
func handEdits(m Master) []finding {
	var found []finding
	for _, component := range manifests.Components() {
		if !skipped(m, componentPhase(component)) {
			found = append(found, m.handEdit(component)...)
		}
	}
	return found
}

func (m Master) handEdit(component string) []finding {
	here := m.earlierManifest(component)
	known, whole := m.settled()
	before := known.Components[component].manifest()
	switch {
	case m.Living.Kept && whole:
		return m.edited(component, without(here, before), "and stays so", "")
	case m.Living.Kept || len(here) == 0:
		return nil
	case m.Living.Back != nil && whole:
		goes := without(here, before, m.Living.Back.Components[component].manifest())
		return m.edited(component, goes, "which goes", "tripod rollback brings it back")
	case m.Living.Back != nil:
		return nil
	}
	goes, comes := m.replaced(component)
	return slices.Concat(
		m.edited(component, goes, "which goes", "to keep it say it in the configuration ("+configuredIn(component)+"), or in a patch"),
		m.edited(component, comes, "and gets back", ""))
}

// edited is a finding of what a manifest says, or does not say, by somebody's hand.
func (m Master) edited(component string, says []string, outcome, hint string) []finding {
	if len(says) == 0 {
		return nil
	}
	return []finding{{id: "HandEdited", harmless: true, hint: hint, problem: fmt.Sprintf("%s is not what it was made, %s: %s",
		manifestPath(m, component), outcome, redacted(strings.Join(says, ", ")))}}
}

// replaced is what a component's manifest says and no configuration does, and what all of them say and it does not: flags
// alone where another maker has made it, who says the same in many other ways.
func (m Master) replaced(component string) (goes, comes []string) {
	pod, err := m.wantedPod(component)
	if err != nil {
		return nil, nil // its own phase tells why
	}
	wanted, err := manifests.Encode(pod)
	if err != nil {
		return nil, nil
	}
	here, configured := m.earlierManifest(component), m.byConfiguration(component)
	goes = without(here, append(configured, wanted)...)
	if manifests.RevisionOf(here) == "" {
		return slices.DeleteFunc(goes, noFlag), nil
	}
	comes = slices.DeleteFunc(without(wanted, here), func(s string) bool {
		return noFlag(s) || slices.ContainsFunc(configured, func(c []byte) bool { return !slices.Contains(manifests.Statements(c), s) })
	})
	return slices.DeleteFunc(goes, func(s string) bool { return strings.Contains(s, ".image: ") }), comes
}

// configuredIn is where the configuration has a component's flags.
func configuredIn(component string) string {
	return map[string]string{"etcd": "etcd.local", "kube-apiserver": "apiServer", "kube-controller-manager": "controllerManager",
		"kube-scheduler": "scheduler"}[component] + ".extraArgs"
}

func noFlag(statement string) bool { return !strings.HasPrefix(statement, "-") }

// without are the statements of a manifest that none of the others makes.
func without(manifest []byte, others ...[]byte) []string {
	all := manifests.Statements(manifest)
	for _, other := range others {
		theirs := manifests.Statements(other)
		all = slices.DeleteFunc(all, func(s string) bool { return slices.Contains(theirs, s) })
	}
	return all
}

// byConfiguration are a component's manifest as the cluster's configuration has it, in the version that runs, and as that has it
// by which this master was changed last: the other masters may have moved the cluster's on since.
func (m Master) byConfiguration(component string) [][]byte {
	known, _ := m.settled()
	now, last := Master{Config: m.Living.Was, Facts: m.Facts}, Master{Config: m.Living.Was, Facts: m.Facts}
	if v, is := m.runs("kube-apiserver"); is {
		now.Version = v
	}
	if v, is := m.runs("etcd"); is {
		now.EtcdVersion = v
	}
	all := [][]byte{now.madeWith(m.KeptPatches, component)}
	if known.Cluster != "" && last.configuredAs(known) == nil {
		all = append(all, last.madeWith(known.Patches, component))
	}
	return all
}

// madeWith is a component's manifest by the configuration and those patches; nil if there is none by them.
func (m Master) madeWith(patches map[string]string, component string) []byte {
	m.KeptPatches, m.Node.Patches = patches, nil
	if m.readPatches(m.Config) != nil {
		return nil
	}
	pod, err := m.wantedPod(component)
	if err != nil {
		return nil
	}
	data, err := manifests.Encode(pod)
	if err != nil {
		return nil
	}
	return data
}

// stillAsBegun refuses to take away a manifest that somebody has edited while the run was waiting: nobody would know of the edit.
func (m Master) stillAsBegun(s Site, components []string) error {
	for _, component := range components {
		path := manifestPath(m, component)
		f, there, err := s.Host.Read(path)
		if err != nil {
			return err
		}
		if begun, known := m.Living.Manifests[component]; there && known && !bytes.Equal(f.Data, begun) {
			return &PreflightError{finding{id: "HandEdited", problem: path + " has been changed by somebody else since this run began",
				hint: "run the same command again: it goes on from there"}}
		}
	}
	return nil
}
