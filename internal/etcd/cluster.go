package etcd

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Cluster is an etcd cluster as its members see it at one moment.
type Cluster struct {
	// ID is the cluster's, which a member that was started anew on an empty directory does not have.
	ID      uint64
	Members []Peer
	// Alarms are raised, each with the member that raised it: NOSPACE on m1.
	Alarms []string
	// Disagreement says which members see another list of members than the others; "" if all see the same.
	Disagreement string
}

// Peer is a member as the list of members has it, and how it answers.
type Peer struct {
	ID uint64
	// Name is "" as long as the member has never started.
	Name                 string
	PeerURLs, ClientURLs []string
	// Learner is a member without a vote: its log may still be short.
	Learner bool
	// Leads says that it is the leader by its own account, Led that it knows one.
	Leads, Led bool
	// Version is the release that runs, StorageVersion the minor that its data are stored for (from 3.6 on); "" if not known.
	Version, StorageVersion string
	// DBSize is that of its database in bytes.
	DBSize int64
	// RaftIndex is the end of its log, RaftTerm the term that it is in.
	RaftIndex, RaftTerm uint64
	// Expired is when the certificate has ended that it serves; zero if it is valid, or was not seen. Who is connected with such
	// a member stays so, but nobody else gets a connection.
	Expired time.Time
	// Err is why it is not healthy. A voter is healthy if it answers a linearizable read, a learner if it tells its status.
	Err error
}

// Started says whether the member has ever run.
func (p Peer) Started() bool { return p.Name != "" }

// String is the member's name, or what there is in its place: its peer URL, or its ID.
func (p Peer) String() string {
	switch {
	case p.Name != "":
		return p.Name
	case len(p.PeerURLs) > 0:
		return "the unstarted member at " + p.PeerURLs[0]
	}
	return FormatID(p.ID)
}

// FormatID is an ID as etcdctl prints it.
func FormatID(id uint64) string { return fmt.Sprintf("%x", id) }

// Voters are the members that have a vote.
func (c Cluster) Voters() []Peer {
	return slices.DeleteFunc(slices.Clone(c.Members), func(p Peer) bool { return p.Learner })
}

// Learners are the members that have none yet.
func (c Cluster) Learners() []Peer {
	return slices.DeleteFunc(slices.Clone(c.Members), func(p Peer) bool { return !p.Learner })
}

// ByID is the member of that ID.
func (c Cluster) ByID(id uint64) (Peer, bool) {
	return c.find(func(p Peer) bool { return p.ID == id })
}

// ByPeerURL is the member whose peers reach it there.
func (c Cluster) ByPeerURL(url string) (Peer, bool) {
	return c.find(func(p Peer) bool { return slices.Contains(p.PeerURLs, url) })
}

func (c Cluster) find(is func(Peer) bool) (Peer, bool) {
	if i := slices.IndexFunc(c.Members, is); i >= 0 {
		return c.Members[i], true
	}
	return Peer{}, false
}

// healthyVoters are those that answer.
func (c Cluster) healthyVoters() []Peer {
	return slices.DeleteFunc(c.Voters(), func(p Peer) bool { return p.Err != nil })
}

// Endpoints are the client URLs of the healthy voters.
func (c Cluster) Endpoints() []string {
	var urls []string
	for _, p := range c.healthyVoters() {
		urls = append(urls, p.ClientURLs...)
	}
	return urls
}

// InitialCluster is the flag by which a member at peerURL joins: all members and itself, by alphabet. A member that
// never started has no name; its ID stands for it.
func (c Cluster) InitialCluster(name, peerURL string) string {
	all := []string{name + "=" + peerURL}
	for _, p := range c.Members {
		if slices.Contains(p.PeerURLs, peerURL) {
			continue
		}
		called := p.Name
		if called == "" {
			called = FormatID(p.ID)
		}
		for _, url := range p.PeerURLs {
			all = append(all, called+"="+url)
		}
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}
