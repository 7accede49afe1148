package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
)

// Survey asks every member how it is, all at once, within seconds. It finds them by asking any of the endpoints (https
// URLs), of which it is enough that one answers; a cluster without quorum can be surveyed too.
func Survey(ctx context.Context, endpoints []string, trust *tls.Config) (Cluster, error) {
	list, err := anyList(ctx, endpoints, trust)
	if err != nil {
		return Cluster{}, err
	}
	views := make([]view, len(list.Members))
	var all errgroup.Group
	for i, m := range list.Members {
		all.Go(func() error {
			views[i] = look(ctx, m, trust)
			return nil
		})
	}
	_ = all.Wait()
	return combine(list, views), ctx.Err()
}

// anyList is the first list of members that one of the endpoints gives.
func anyList(ctx context.Context, endpoints []string, trust *tls.Config) (*clientv3.MemberListResponse, error) {
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	var mu sync.Mutex
	var found *clientv3.MemberListResponse
	var errs *multierror.Error
	var all errgroup.Group
	for _, endpoint := range endpoints {
		all.Go(func() error {
			list, err := listAt(ctx, endpoint, trust)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil && found == nil:
				errs = multierror.Append(errs, err)
			case err == nil:
				found = list
				enough()
			}
			return nil
		})
	}
	_ = all.Wait()
	switch {
	case found != nil:
		return found, nil
	case errs == nil:
		return nil, errors.New("no etcd member is known")
	}
	return nil, errs
}

// listAt is the list as the member at the endpoint has it. It needs no quorum; a learner gives none.
func listAt(ctx context.Context, endpoint string, trust *tls.Config) (*clientv3.MemberListResponse, error) {
	m, err := dial(ctx, endpoint, tolerantly(trust))
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return m.list(ctx)
}

func (m *Member) list(ctx context.Context) (*clientv3.MemberListResponse, error) {
	ctx, stop := context.WithTimeout(ctx, readTimeout)
	defer stop()
	list, err := m.client.MemberList(ctx, clientv3.WithSerializable())
	if err != nil {
		return nil, fmt.Errorf("asking etcd at %s for its members: %w", m.client.Endpoints()[0], err)
	}
	return list, nil
}

// view is one member's own account.
type view struct {
	status  *clientv3.StatusResponse
	members string
	alarms  []*etcdserverpb.AlarmMember
	ends    time.Time
	err     error
}

// look asks a member for its account, at the first of its URLs that answers.
func look(ctx context.Context, p *etcdserverpb.Member, trust *tls.Config) view {
	switch {
	case p.Name == "":
		return view{err: errors.New("it has never started")}
	case len(p.ClientURLs) == 0:
		return view{err: errors.New("it tells no client URL")}
	}
	var v view
	for _, url := range p.ClientURLs {
		m, err := dial(ctx, url, tolerantly(trust))
		if v.err = err; err != nil {
			continue
		}
		v = m.account(ctx, p.IsLearner)
		v.ends = m.ends
		_ = m.Close() // nothing was written through it
		break
	}
	return v
}

func (m *Member) account(ctx context.Context, learner bool) (v view) {
	if v.status, v.err = m.Status(ctx); v.err != nil || learner {
		return v // of a learner nothing else may be asked (etcd: api/v3rpc/util.go, isRPCSupportedForLearner)
	}
	list, err := m.list(ctx)
	if err != nil {
		v.err = err
		return v
	}
	v.members = names(list.Members)
	if v.err = m.Healthy(ctx); v.err != nil {
		return v
	}
	ctx, stop := context.WithTimeout(ctx, readTimeout)
	defer stop()
	if alarms, err := m.client.AlarmList(ctx); err == nil {
		v.alarms = alarms.Alarms
	}
	return v
}

// Status is the member's own account of itself, which it gives without a quorum and as a learner.
func (m *Member) Status(ctx context.Context) (*clientv3.StatusResponse, error) {
	ctx, stop := context.WithTimeout(ctx, readTimeout)
	defer stop()
	status, err := m.client.Status(ctx, m.client.Endpoints()[0])
	if err != nil {
		return nil, fmt.Errorf("asking etcd at %s for its status: %w", m.client.Endpoints()[0], err)
	}
	return status, nil
}

// combine is the cluster by the list and by what its members say. Where those who are healthy see another list than the
// one that was found first, theirs is the better one, but it has not been surveyed: that is a disagreement.
func combine(list *clientv3.MemberListResponse, views []view) Cluster {
	c := Cluster{ID: list.Header.ClusterId}
	ours := names(list.Members)
	for i, m := range list.Members {
		v := views[i]
		p := Peer{ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, Learner: m.IsLearner, Err: v.err}
		if v.ends.Before(time.Now()) {
			p.Expired = v.ends
		}
		if v.status != nil {
			p.RaftIndex, p.Leads, p.Led = v.status.RaftIndex, v.status.Leader == m.ID, v.status.Leader != 0
			p.RaftTerm = v.status.RaftTerm
			p.Version, p.StorageVersion, p.DBSize = v.status.Version, v.status.StorageVersion, v.status.DbSize
			if v.err == nil && v.status.Header.MemberId != m.ID {
				p.Err = fmt.Errorf("another member answers at %s: %s", m.ClientURLs[0], FormatID(v.status.Header.MemberId))
			}
		}
		if p.Err == nil && !p.Learner && v.members != ours {
			c.Disagreement = fmt.Sprintf("members see different lists of members: %s sees %s, others %s", p, v.members, ours)
		}
		c.Members = append(c.Members, p)
	}
	slices.SortFunc(c.Members, func(a, b Peer) int { return strings.Compare(a.Name, b.Name) })
	c.Alarms = alarms(c, views)
	return c
}

// alarms are all that anybody has told.
func alarms(c Cluster, views []view) []string {
	var all []string
	for _, v := range views {
		for _, a := range v.alarms {
			who := FormatID(a.MemberID)
			if p, exists := c.ByID(a.MemberID); exists {
				who = p.String()
			}
			all = append(all, a.Alarm.String()+" on "+who)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// names is a list of members in a form that can be compared and read.
func names(members []*etcdserverpb.Member) string {
	var all []string
	for _, m := range members {
		text := m.Name
		if text == "" {
			text = FormatID(m.ID)
		}
		if m.IsLearner {
			text += " (learner)"
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
