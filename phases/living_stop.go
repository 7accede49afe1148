package phases

import (
	"context"
	"errors"
	"fmt"
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

// ways are the ways back of components.
func (w *way) ways(components ...string) []retreat {
	return slices.DeleteFunc(slices.Clone(w.takes), func(r retreat) bool { return !slices.Contains(components, r.proof.Component) })
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
	if w.stops("etcd") {
		if err := errors.Join(m.mayStop(), m.sameData(ctx, s)); err != nil {
			return err
		}
	}
	if err := m.stillAsBegun(s, w.components()); err != nil {
		return err
	}
	if err := s.Host.Stage(w.staged...); err != nil {
		return &PreflightError{err} // nothing has been touched yet
	}
	if w.stops("etcd") { // while nothing else is going on: what is written in the moment of an election may be lost
		if err := m.leaveEtcdToOthers(ctx, s); err != nil {
			return err
		}
	}
	first := slices.DeleteFunc(w.names(), func(component string) bool { return component == "etcd" })
	s.back.add(w.ways(first...)...)
	s.tell("what needs the apiserver leaves it")
	if err := s.takeAway(ctx, m, first); err != nil {
		return err
	}
	if w.stops("etcd") {
		if !m.alone() {
			s.tell("another member of etcd leads")
		}
		if err := m.leaveEtcdToOthers(ctx, s); err != nil {
			return err
		}
		s.tell("etcd ends")
		s.back.add(w.ways("etcd")...)
		if err := s.takeAway(ctx, m, []string{"etcd"}); err != nil {
			return err
		}
	}
	if s.Kubelet == nil {
		return nil
	}
	s.tell("the kubelet finishes with the old pods")
	return s.Kubelet.Forget(ctx, w.names()...)
}

// mayStop refuses to stop this master's member where the others would lose their quorum by it. A member that is not healthy
// costs nobody anything.
func (m Master) mayStop() error {
	self, there := m.self()
	if m.Living.Unasked != nil || there && self.Err != nil {
		return nil
	}
	if !there {
		return &PreflightError{finding{id: "EtcdMember", problem: "etcd does not count this master among its members", hint: "tripod etcd member list shows them"}}
	}
	if err := m.Etcd.MayStop(self.ID); err != nil {
		return &PreflightError{finding{id: "EtcdQuorum", problem: err.Error()}}
	}
	return nil
}

// sameData refuses to go on where etcd's members do not hold the same: who has other data might be the one that remains.
func (m Master) sameData(ctx context.Context, s Site) error {
	if m.Living.Unasked != nil || m.alone() {
		return nil
	}
	if err := m.Etcd.SameData(ctx, m.trust()["etcd"], s.tell); err != nil {
		return &PreflightError{finding{id: "EtcdData", problem: err.Error()}}
	}
	return nil
}

// leaveEtcdToOthers has another member lead, and counts the quorum once more.
func (m Master) leaveEtcdToOthers(ctx context.Context, s Site) error {
	if m.Living.Unasked != nil {
		return nil
	}
	now, err := m.survey(ctx)
	if err != nil {
		return err
	}
	m.Etcd = now
	if err := m.mayStop(); err != nil {
		return err
	}
	self, _ := m.self()
	if self.Err != nil {
		return nil
	}
	if err := m.Etcd.HandOver(ctx, self.ID, m.trust()["etcd"], s.tell); err != nil {
		return fmt.Errorf("etcd's leader does not hand over: %w", err)
	}
	return nil
}

// alone says whether this master's member is the only one that etcd has.
func (m Master) alone() bool {
	self, there := m.self()
	voters := m.Etcd.Voters()
	return there && len(voters) == 1 && voters[0].ID == self.ID
}
