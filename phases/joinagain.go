package phases

import (
	"fmt"
	"path/filepath"
)

// wouldChange refuses to join again what is a master of the cluster already and runs something else than a join would have it
// run: the cluster was changed since, or this master by hand. What it lacks is added.
func wouldChange(m Master) []finding {
	self, member := m.self()
	if _, proved := m.settled(); !proved || !member || !self.Started() || self.Learner {
		return nil // its join has not come to its end
	}
	var found []finding
	for _, p := range JoinMaster() {
		if p.Want == nil || p.Name == "preflight" {
			continue
		}
		changes, err := p.Want(m)
		if err != nil {
			continue // the plan tells why
		}
		for _, c := range changes {
			if c.pod == "" || len(c.old) == 0 {
				continue
			}
			found = append(found, finding{id: "Joined", problem: fmt.Sprintf("this machine is a master already, and %s is not what a join would write now:\n%s", filepath.Join(m.Paths.Manifests, c.pod+".yaml"), c.Diff),
				hint: "tripod apply makes this master what the cluster's configuration says"})
		}
	}
	return found
}
