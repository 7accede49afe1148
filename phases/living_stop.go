package phases

import (
	"context"
	"slices"
	"strings"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// makeWay takes away the manifests of what changes and waits until its pods have ended: a kubelet that meets a new pod while the
// old one of that name still ends backs off for 10 s and more. Where etcd changes the apiserver goes, too, and before it: its
// clients find another by its readyz, and do not wait for an etcd that is away.
func makeWay(m Master) ([]Change, error) {
	w := &way{master: m}
	for _, component := range manifests.Components() {
		w.plan(component)
	}
	if len(w.takes) == 0 {
		return nil, nil
	}
	return []Change{{Verb: "stop", What: strings.Join(w.names(), ", "), do: w.clear}}, nil
}

// way is what has to go for what is to come.
type way struct {
	master Master
	takes  []retreat
	// staged are the new files, which are on disk before anything stops.
	staged []host.File
}

// plan notes the component if its pod has to end. What is wrong with it its own phase tells.
func (w *way) plan(component string) {
	m, phase := w.master, componentPhase(component)
	changes, err := changed(component)(m)
	if err != nil || skipped(m, phase) {
		return
	}
	ends := slices.ContainsFunc(changes, func(c Change) bool { return c.pod != "" })
	drains := component == "kube-apiserver" && w.stops("etcd") && len(m.Manifests[component+".yaml"]) > 0
	if !ends && !drains {
		return
	}
	for _, c := range changes {
		w.staged = append(w.staged, c.Files...)
	}
	w.takes = append(w.takes, retreat{phase: phase, proof: componentProof(component), old: m.earlierFiles(component)})
}

// componentPhase is the phase in which a component comes back.
func componentPhase(component string) string {
	return "control-plane/" + strings.TrimPrefix(component, "kube-")
}

func skipped(m Master, phase string) bool {
	return slices.ContainsFunc(m.Node.SkipPhases, Phase{Name: phase}.Is)
}

func (w *way) stops(component string) bool { return slices.Contains(w.components(), component) }

// components are those that go, in the order in which they come back.
func (w *way) components() []string {
	var all []string
	for _, r := range w.takes {
		all = append(all, r.proof.Component)
	}
	return all
}

// ways are the ways back of some components, in the order in which they go.
func (w *way) ways(which func(component string) bool) []retreat {
	all := slices.DeleteFunc(slices.Clone(w.takes), func(r retreat) bool { return !which(r.proof.Component) })
	slices.Reverse(all)
	return all
}

// names are the components in the order in which they go.
func (w *way) names() []string {
	all := w.components()
	slices.Reverse(all)
	return all
}

// earlierFiles are what the component is made of now; where a killed run has taken it away, what it was made of before.
func (m Master) earlierFiles(component string) []host.File {
	if r, exists := m.revision(component); exists {
		return r.host()
	}
	g, _ := m.settled()
	return g.Components[component].host()
}

// clear does it. What could keep the new files from being written shows before anything stops.
func (w *way) clear(ctx context.Context, s Site) error {
	m := w.master
	ctx, stop := context.WithTimeout(ctx, m.UpgradeManifests)
	defer stop()
	if err := m.stillAsBegun(s, w.components()); err != nil {
		return err
	}
	if err := w.end(ctx, s); err != nil {
		return err
	}
	if s.Kubelet == nil {
		return nil
	}
	s.tell("the kubelet finishes with the old pods")
	return s.Kubelet.Forget(ctx, w.names()...)
}

// end ends what goes, etcd last.
func (w *way) end(ctx context.Context, s Site) error {
	others := func(ctx context.Context) error {
		s.tell("what needs the apiserver leaves it")
		return s.takeAway(ctx, w.master, w.ways(func(component string) bool { return component != "etcd" }))
	}
	if w.stops("etcd") {
		return w.master.stopMember(ctx, s, memberStop{staged: w.staged, first: others, back: w.ways(func(component string) bool { return component == "etcd" })[0]})
	}
	if err := s.Host.Stage(w.staged...); err != nil {
		return &PreflightError{err} // nothing has been touched yet
	}
	return others(ctx)
}
