package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"tripod.dev/tripod/internal/etcd"
)

// etcdDocument is what -o json prints of a cluster of members.
type etcdDocument struct {
	Cluster      string           `json:"cluster"`
	Voters       int              `json:"voters"`
	Healthy      int              `json:"healthyVoters"`
	MayFail      int              `json:"mayFail"`
	Alarms       []string         `json:"alarms,omitempty"`
	Disagreement string           `json:"disagreement,omitempty"`
	Members      []memberDocument `json:"members"`
}

type memberDocument struct {
	ID string `json:"id"`
	// Name is empty for a member that has never started.
	Name string `json:"name"`
	// Status is voter, learner or unstarted.
	Status     string   `json:"status"`
	Leader     bool     `json:"leader"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
	Healthy    bool     `json:"healthy"`
	// Reason is why it is not healthy, or will not be for long.
	Reason string `json:"reason,omitempty"`
}

func documentOf(c etcd.Cluster) etcdDocument {
	healthy, voters := count(c)
	d := etcdDocument{Cluster: etcd.FormatID(c.ID), Healthy: healthy, Voters: voters, MayFail: mayFail(healthy, voters), Alarms: c.Alarms, Disagreement: c.Disagreement}
	for _, p := range c.Members {
		d.Members = append(d.Members, memberDocument{ID: etcd.FormatID(p.ID), Name: p.Name, Status: statusOf(p), Leader: p.Leads,
			PeerURLs: append([]string{}, p.PeerURLs...), ClientURLs: append([]string{}, p.ClientURLs...), Healthy: p.Err == nil, Reason: reasonOf(p)})
	}
	return d
}

func count(c etcd.Cluster) (healthy, voters int) {
	for _, p := range c.Voters() {
		voters++
		if p.Err == nil {
			healthy++
		}
	}
	return healthy, voters
}

// mayFail is how many of the healthy voters may be lost before nothing can be decided any more.
func mayFail(healthy, voters int) int { return max(0, healthy-voters/2-1) }

// statusOf is what a member is. One that has never started may be either.
func statusOf(p etcd.Peer) string {
	switch {
	case !p.Started():
		return "unstarted"
	case p.Learner:
		return "learner"
	}
	return "voter"
}

func reasonOf(p etcd.Peer) string {
	switch {
	case p.Err == nil && !p.Expired.IsZero():
		return "its certificate expired on " + p.Expired.UTC().Format(time.RFC3339)
	case p.Err == nil:
		return ""
	}
	return strings.ReplaceAll(p.Err.Error(), "\n", "; ")
}

// memberTable is a line a member. The reason for bad health comes last, as it may be long.
func memberTable(to io.Writer, c etcd.Cluster) error {
	w := tabwriter.NewWriter(to, 8, 4, 3, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tSTATUS\tPEER URLS\tCLIENT URLS\tHEALTH")
	for _, p := range c.Members {
		status := statusOf(p)
		if p.Leads {
			status += ", leader"
		}
		fmt.Fprintln(w, strings.Join([]string{etcd.FormatID(p.ID), orNone(p.Name), status,
			orNone(strings.Join(p.PeerURLs, ",")), orNone(strings.Join(p.ClientURLs, ",")), cmp.Or(reasonOf(p), "healthy")}, "\t"))
	}
	return w.Flush()
}

// etcdStatus is the table with what follows from it.
func etcdStatus(to io.Writer, c etcd.Cluster) error {
	healthy, voters := count(c)
	fmt.Fprintf(to, "cluster %s: %d of %d voters are healthy, %d are needed, %d more may fail\n", etcd.FormatID(c.ID), healthy, voters, voters/2+1, mayFail(healthy, voters))
	for _, alarm := range c.Alarms {
		fmt.Fprintln(to, "alarm:", alarm)
	}
	if c.Disagreement != "" {
		fmt.Fprintln(to, c.Disagreement)
	}
	fmt.Fprintln(to)
	return memberTable(to, c)
}
