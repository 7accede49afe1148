package phases

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
)

// The list of members calls a learner a voter that somebody has updated (etcdctl member update), and so do its status and its
// metrics; raft, which counts the votes, does not, and etcd promotes it no more. What raft counts stands in the data of every
// member.

// voteWithin is how long a vote takes at most to stand in the data: they are written ten times a second.
const voteWithin = 5 * time.Second

// proveVoter wants the member here to be healthy, and to have its vote by its own data.
func proveVoter(ctx context.Context, p *Prober) error {
	if err := proveEtcd(ctx, p); err != nil {
		return err
	}
	return p.attempt(ctx, "etcd", p.votes)
}

// votes is an error if the data here, as far as they can be read, say that the member has no vote.
func (p *Prober) votes() error {
	voters, err := etcd.ReadVoters(p.master.Paths.EtcdData)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil || len(voters) == 0 || p.self == (Membership{}) || slices.ContainsFunc(voters, func(id uint64) bool { return etcd.FormatID(id) == p.self.Member }) {
		return nil
	}
	if p.voteless.IsZero() {
		p.voteless = host.Now()
	}
	none := noVote(p.self.Member)
	if host.Now().Sub(p.voteless) > voteWithin {
		return final{none}
	}
	return none
}

func noVote(member string) error {
	return fmt.Errorf("etcd's list of members has %s as a voter, and raft as a learner: somebody has updated it (etcdctl member update)\n"+
		"hint: on another master, tripod etcd member remove %s; then join this one again", member, member)
}

// counted are etcd's members without trust in those that have no vote by the data of the member here, which is healthy: they count
// among the voters, and not among the healthy ones.
func (m Master) counted(s Site, c etcd.Cluster) etcd.Cluster {
	own, there := c.ByID(m.memberID())
	voters, err := etcd.ReadVoters(s.Host.Path(m.Paths.EtcdData))
	if !there || own.Err != nil || own.Learner || err != nil || len(voters) == 0 || m.Membership.Cluster != etcd.FormatID(c.ID) {
		return c
	}
	c.Members = slices.Clone(c.Members)
	for i, p := range c.Members {
		if p.Err == nil && !p.Learner && !slices.Contains(voters, p.ID) {
			c.Members[i].Err = noVote(p.String())
		}
	}
	return c
}
