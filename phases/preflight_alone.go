package phases

import (
	"context"
	"slices"

	"tripod.dev/tripod/internal/config"
)

// fitAlone judges by what this machine says by itself, before anybody else has to answer: it may be why nobody does, as a stray
// file among the manifests is that keeps an apiserver from running. Warnings are told with those of the whole preflight.
func fitAlone(m Master, checks ...check) error {
	if slices.ContainsFunc(m.Node.SkipPhases, Phase{Name: "preflight"}.Is) {
		return nil
	}
	var found []finding
	for _, c := range checks {
		if c.alone && c.applies(m) {
			found = append(found, c.find(m)...)
		}
	}
	_, err := m.judge(found)
	return err
}

// filesAlone are the checks that ask for no more than the files here.
func filesAlone() []check { return []check{{find: strays, alone: true}} }

// joinsFit surveys a machine that joins, while the cluster is looked for, and says what is wrong with it by itself.
func joinsFit(ctx context.Context, s Site, c config.Config, f Facts) error {
	ask := askJoin(c)
	ask.KubeletVersion, ask.Ports = false, nil
	if f.Rootless {
		ask.CRISocket, ask.KubeletFiles = "", nil
	}
	m := Master{Config: c, Facts: f}
	m.Joining = &Joining{}
	if err := m.read(s.Host, c); err != nil {
		return err
	}
	var err error
	if m.Survey, err = s.Host.Survey(ctx, ask); err != nil {
		return err
	}
	return fitAlone(m, checks()...)
}
