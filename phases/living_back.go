package phases

import (
	"errors"
	"fmt"

	"tripod.dev/tripod/internal/config"
)

// choose finds the generation to go back to.
func (m *Master) choose(number int) error {
	if number == 0 {
		return nil
	}
	now := Generation{Components: m.filesAlone()}
	for i := len(m.Generations) - 1; i >= 0; i-- {
		g := m.Generations[i]
		switch {
		case len(g.Components) == 0 || number > 0 && g.Number != number, number < 0 && (g.Verdict != Healthy || g.same(now)):
			continue
		}
		m.Living.Back = &g
		return m.configuredAs(g)
	}
	if number > 0 {
		return &InputError{fmt.Errorf("there is no generation %d with its files here\nhint: tripod history shows those that there are", number)}
	}
	return &InputError{errors.New("nothing is known that ran here and was healthy, and does not run now\nhint: tripod history shows what is known")}
}

// configuredAs takes the configuration of the generation.
func (m *Master) configuredAs(g Generation) error {
	if g.Cluster == "" {
		return nil
	}
	c, err := m.Config.OfLiving([]byte(g.Cluster), []byte(g.Kubelet), config.Here{NodeName: m.Node.Registration.Name, CRISocket: m.Node.Registration.CRISocket, Advertise: m.Advertise, Loopback: m.Loopback})
	if err == nil {
		m.Config = c
	}
	return err
}

// takesBack says whether the cluster's configuration goes back with this master: nobody else has become what it was to become.
func (m Master) takesBack() bool {
	if m.Living.Back == nil || m.Living.Back.Cluster == "" {
		return false
	}
	return m.alone() || m.Living.Fleet.atMost(m.Version, m.Node.Registration.Name)
}
