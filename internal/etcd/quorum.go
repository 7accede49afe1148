package etcd

import (
	"fmt"
	"slices"
	"strings"
)

// The guards count the quorum after the loss: they answer whether those voters that are healthy without the member that
// is touched are a majority of the voters that there will be.

// RefusedError is a change that could cost the quorum, or the data. Nothing was changed.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string { return e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }

func refused(format string, args ...any) error { return &RefusedError{fmt.Errorf(format, args...)} }

// Quorum is nil if the cluster can decide anything at all.
func (c Cluster) Quorum() error {
	voters := c.Voters()
	if healthy := healthy(voters); healthy < majority(len(voters)) {
		return refused("etcd has lost its quorum: %d of %d voters are healthy, %d are needed\n%s\nhint: bring one of them back; "+
			"if they are gone for good, restore a snapshot on one master (etcdutl snapshot restore)", healthy, len(voters), majority(len(voters)), c.sick())
	}
	return nil
}

// Lost says that nobody decides anything: there is no quorum, and nobody who answers knows a leader. Members that are merely
// too slow to answer in time follow one.
func (c Cluster) Lost() bool {
	_, led := c.find(func(p Peer) bool { return p.Led || p.Err == nil && !p.Learner })
	return c.Quorum() != nil && !led
}

// Steady is nil if the cluster is fit for a change of its members: it has a quorum, no alarm, one list of members. That
// is asked under the lock, where nobody else is in the middle of a change.
func (c Cluster) Steady() error {
	switch {
	case c.Quorum() != nil:
		return c.Quorum()
	case len(c.Alarms) > 0:
		return refused("etcd has raised an alarm: %s\nhint: make room, or repair the member, then etcdctl alarm disarm", strings.Join(c.Alarms, ", "))
	case c.Disagreement != "":
		return refused("%s\nhint: a member that lags behind catches up by itself; try again", c.Disagreement)
	}
	return nil
}

// MayAdd is nil if a learner can be added. It does not change the quorum; etcd allows one at a time.
func (c Cluster) MayAdd() error {
	if err := c.Steady(); err != nil {
		return err
	}
	for _, p := range c.Members {
		switch {
		case p.Learner:
			return refused("%s is a learner already, and etcd takes one at a time\nhint: let it become a voter (run its join again), or tripod etcd member remove %s", p, FormatID(p.ID))
		case !p.Started():
			return refused("%s counts for the quorum, and never ran\nhint: start it, or tripod etcd member remove %s", p, FormatID(p.ID))
		}
	}
	return nil
}

// MayPromote is nil if the learner can get a vote. It is counted as healthy: it has caught up, or etcd refuses.
func (c Cluster) MayPromote(id uint64) error {
	if err := c.Steady(); err != nil {
		return err
	}
	learner, exists := c.ByID(id)
	if !exists || !learner.Learner {
		return refused("member %s is no learner", FormatID(id))
	}
	voters := c.Voters()
	if have, need := healthy(voters)+1, majority(len(voters)+1); have < need {
		return refused("with %s as a voter %d of %d would be healthy, and %d are needed\n%s", learner, have, len(voters)+1, need, c.sick())
	}
	return nil
}

// MayRemove is nil if the member can be removed.
func (c Cluster) MayRemove(id uint64) error {
	p, exists := c.ByID(id)
	switch {
	case !exists:
		return refused("there is no member %s", FormatID(id))
	case p.Learner:
		return c.Quorum()
	}
	return c.without(p, "removed", len(c.Voters())-1)
}

// MayStop is nil if the member can be stopped for a while. The only voter can whatever its alarms are, and if it is dead:
// nobody goes on without it anyway, and to start it again, with a larger quota, say, is what mends it.
func (c Cluster) MayStop(id uint64) error {
	p, exists := c.ByID(id)
	if !exists {
		return refused("there is no member %s", FormatID(id))
	}
	if p.Err != nil && c.Lost() {
		return nil // what decides nothing, and does not answer, costs nobody anything
	}
	if err := c.complete(); err != nil && (p.Err == nil || !p.Started()) {
		return err
	}
	switch {
	case p.Learner && p.Err == nil:
		return c.Steady()
	case len(c.Voters()) == 1:
		return nil
	}
	if err := c.without(p, "stopped", len(c.Voters())); err != nil || p.Err != nil {
		return err
	}
	return c.Steady()
}

// complete is nil if all members have run, and at most one is a learner: no join was broken off.
func (c Cluster) complete() error {
	if learners := c.Learners(); len(learners) > 1 {
		return refused("%s and %s are both learners\nhint: let them become voters (run their joins again), or tripod etcd member remove %s", learners[0], learners[1], FormatID(learners[1].ID))
	}
	if p, there := c.find(func(p Peer) bool { return !p.Started() }); there {
		return refused("%s never ran: a join has not ended\nhint: let it end (run it again), or tripod etcd member remove %s", p, FormatID(p.ID))
	}
	return nil
}

// without counts the healthy voters other than p against the majority of the voters that there will be.
func (c Cluster) without(p Peer, what string, voters int) error {
	if voters == 0 {
		return refused("%s is the only voter: without it there is no cluster", p)
	}
	if err := c.Quorum(); err != nil {
		return err
	}
	others := slices.DeleteFunc(c.Voters(), func(o Peer) bool { return o.ID == p.ID })
	if have, need := healthy(others), majority(voters); have < need {
		return refused("with %s %s %d of %d voters would be healthy, and %d are needed\n%s\nhint: bring the others back first", p, what, have, voters, need, c.sick())
	}
	return nil
}

// Unsettled explains, once it has lasted longer than it can by itself, that etcd takes no member beside voters that are dead.
func (c Cluster) Unsettled(err error) error {
	if sick := c.sick(); sick != "" {
		return refused("%w; it takes none beside a dead voter\n%s\nhint: bring it back, or if it is gone for good: tripod etcd member remove NAME, then join again", err, sick)
	}
	return err
}

func healthy(voters []Peer) int {
	count := 0
	for _, p := range voters {
		if p.Err == nil {
			count++
		}
	}
	return count
}

// majority is the smallest number of voters that two groups of them can't have at once.
func majority(voters int) int { return voters/2 + 1 }

// sick names who does not answer, and why, a line each.
func (c Cluster) sick() string {
	var lines []string
	for _, p := range c.Voters() {
		if p.Err != nil {
			lines = append(lines, fmt.Sprintf("  %s: %v", p, p.Err))
		}
	}
	return strings.Join(lines, "\n")
}
