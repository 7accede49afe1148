package phases

import (
	"context"
	"slices"
	"sync"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// A retreat is the way back of one component: what lay on disk of it before this run.
type retreat struct {
	phase string
	proof Proof
	// old are its files in the order in which they are written, the manifest last.
	old []host.File
	// proved says that what has come in its place is healthy, and stays, unless what it needs goes back to another version.
	proved bool
}

// retreats are the ways back of what a run has replaced.
type retreats struct {
	mu  sync.Mutex
	all []retreat
}

// add notes what is about to be taken away. What was taken away by an earlier step has the older files.
func (r *retreats) add(ways ...retreat) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, way := range ways {
		i := slices.IndexFunc(r.all, func(known retreat) bool { return known.proof.Component == way.proof.Component })
		if i < 0 {
			r.all = append(r.all, way)
			continue
		}
		r.all[i].proved = r.all[i].proved && way.proved
	}
}

// prove notes that what has come in the place of a component is healthy.
func (r *retreats) prove(component string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, known := range r.all {
		if known.proof.Component == component {
			r.all[i].proved = true
		}
	}
}

// has says whether the component is taken away, and not proved again.
func (r *retreats) has(component string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.all, func(known retreat) bool { return known.proof.Component == component && !known.proved })
}

// whole are those that go back, the component first that others need: what is not proved, and with an apiserver what was made
// for its next version. other says whether what there is now of a component is of another version than its way back.
func (r *retreats) whole(other func(retreat) bool) []retreat {
	apiserver := r.has("kube-apiserver")
	r.mu.Lock()
	defer r.mu.Unlock()
	needs := func(way retreat) bool {
		return apiserver && slices.Contains([]string{"kube-controller-manager", "kube-scheduler"}, way.proof.Component) && other(way)
	}
	all := slices.DeleteFunc(slices.Clone(r.all), func(way retreat) bool { return way.proved && !needs(way) })
	rank := func(way retreat) int { return slices.Index(manifests.Components(), way.proof.Component) }
	slices.SortStableFunc(all, func(a, b retreat) int { return rank(a) - rank(b) })
	return all
}

// retreats are the ways back of what the step replaces.
func (s Step) retreats() []retreat {
	own := retreat{phase: s.Phase, proof: s.Proof}
	for _, c := range s.Changes {
		own.old = append(own.old, c.old...)
	}
	if s.Proof.Component == "" || len(own.old) == 0 {
		return nil
	}
	return []retreat{own}
}

// halfway are the ways back of what a killed run has replaced or taken away: to what ran before that run, not to what it has left
// on disk. What is healthy by now counts as proved.
func (m Master) halfway() []retreat {
	known, _ := m.settled()
	if m.Living == nil || m.newest().Verdict != UnderWay || m.Living.Back != nil && m.Living.Back.Number == known.Number {
		return nil
	}
	var ways []retreat
	for _, component := range manifests.Components() {
		was, kept := known.Components[component]
		now, _ := m.revision(component)
		if kept && !now.same(was) {
			ways = append(ways, retreat{phase: componentPhase(component), proof: componentProof(component), old: was.host(),
				proved: m.Living.Unwell[component] == nil})
		}
	}
	return ways
}

// condemn remembers why the generation that was under way has failed. Where that can't be written, as on a full disk, the
// cause is told all the same, and the next run finds a generation that is under way.
func (a Application) condemn(ctx context.Context, cause error) {
	if g, err := ReadGenerations(a.Host, a.Master.Config); a.Master.Living != nil && err == nil && len(g) > 0 && g[len(g)-1].Verdict == UnderWay {
		_ = a.Master.judgeGeneration(ctx, a.Site, Refused, cause.Error())
	}
}

// before is the master as it was when the facts were read, for asking what ran then.
func (m Master) before() Master {
	if m.Living != nil {
		earlier := *m.Living
		earlier.Earlier = true
		m.Config, m.Living = m.Living.Was, &earlier
	}
	return m
}
