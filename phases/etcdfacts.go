package phases

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/manifests"
)

// etcdCluster is etcd's cluster as far as its members could be asked; the zero Cluster where they could not. Who guards
// something looks at m.Etcd itself: what is not known there is no reason to go on.
func (m Master) etcdCluster() etcd.Cluster {
	c, _ := m.Etcd.Value()
	return c
}

// answered is a fact of what was asked for: known, or unknown for that reason.
func answered[T any](value T, err error) Known[T] {
	if err != nil {
		return Unknown[T](err)
	}
	return There(value)
}

// membersWithin is the time for an etcd that runs here to answer: it may just have been started.
const membersWithin = 5 * time.Second

// membersNow asks etcd's members how they are, and tells why one that runs here is still waited for. Where nobody answers,
// and no process has the data here open, these say who the members are: then the one here does not run.
func (m Master) membersNow(ctx context.Context, s Site, tell func(reason string)) Known[etcd.Cluster] {
	for until := time.Now().Add(membersWithin); ; {
		now, err := etcd.Survey(ctx, m.mayAnswer(s), m.trust()["etcd"])
		if err == nil {
			return There(m.counted(s, now))
		}
		stored, unstored := etcd.Stored(s.Host.Path(m.Paths.EtcdData))
		if unstored == nil && len(stored) > 0 && ctx.Err() == nil {
			return There(m.atRest(stored, err))
		}
		if !errors.Is(unstored, etcd.ErrRunning) || time.Now().After(until) || ctx.Err() != nil {
			return Unknown[etcd.Cluster](err)
		}
		tell(Reasons(err)[0])
		select {
		case <-ctx.Done():
		case <-time.After(lookEvery):
		}
	}
}

// mayAnswer are URLs at which some member may answer: that here, those that the caller or earlier facts know, and those of
// the members beside which the one here has joined.
func (m Master) mayAnswer(s Site) []string {
	manifest := m.earlierManifest("etcd")
	urls := slices.Concat(etcdHere(manifest).Members(s.Host, m.Config), s.Peers, m.etcdCluster().Endpoints())
	for _, p := range joinedBeside(manifest) {
		if u, err := url.Parse(p.PeerURLs[0]); err == nil {
			urls = append(urls, "https://"+strings.TrimSuffix(u.Host, u.Port())+strconv.Itoa(etcdClientPort))
		}
	}
	slices.Sort(urls)
	return slices.Compact(urls)
}

// joinedBeside are the members that the manifest of etcd names: those that there were when its member joined, and itself.
func joinedBeside(manifest []byte) []etcd.Peer {
	var all []etcd.Peer
	for each := range strings.SplitSeq(manifests.ManifestFlags(manifest)["initial-cluster"], ",") {
		if name, peerURL, ok := strings.Cut(each, "="); ok {
			all = append(all, etcd.Peer{Name: name, PeerURLs: []string{peerURL}})
		}
	}
	return all
}

// atRest is the cluster by the data of its member here, which does not run, while nobody else answers.
func (m Master) atRest(stored []etcd.Peer, why error) etcd.Cluster {
	id, _ := strconv.ParseUint(m.Membership.Cluster, 16, 64) // the data do not tell it
	for i := range stored {
		stored[i].Err = errors.New(strings.Join(Reasons(why), "; "))
	}
	return etcd.Cluster{ID: id, Members: stored}
}

// unasked is the error of a guard that needs to know etcd's members.
func (m Master) unasked() error {
	return &PreflightError{finding{id: "EtcdMembers", problem: fmt.Sprintf("no etcd member answers, and so it is not known whether etcd can do without the one here: %s",
		strings.Join(Reasons(m.Etcd.Err()), "; ")), hint: "bring etcd back, here or on another master, then run this again; if the etcd here hangs, end it"}}
}
