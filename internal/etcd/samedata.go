package etcd

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// sameDataWithin is the time for all members to add up their data.
	sameDataWithin = 10 * time.Second
	// summedUpTo is the size of a database, in bytes, that is added up at most: a member writes nothing meanwhile.
	summedUpTo = 1 << 30
)

// SameData is nil unless healthy voters have different data at one revision: a RefusedError that names them. It is nil
// too where that is not known (they are too slow, or too large to be asked while they serve, or compacted meanwhile);
// tell gets the reason.
func (c Cluster) SameData(ctx context.Context, trust *tls.Config, tell func(reason string)) error {
	voters := c.healthyVoters()
	for _, p := range voters {
		if p.DBSize > summedUpTo {
			tell(fmt.Sprintf("whether members have the same data is not known: the database of %s has %s, which is too much to add up now", p, mib(p.DBSize)))
			return nil
		}
	}
	limited, stop := context.WithTimeout(ctx, sameDataWithin)
	defer stop()
	sums := sumsOf(limited, voters, trust)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, reason := range unknown(sums) {
		tell(reason)
	}
	return disagreement(sums)
}

// sum is what a member's data add up to.
type sum struct {
	of Peer
	// revision is that up to which they are added up, compacted that from which on.
	revision, compacted int64
	hash                uint32
	err                 error
}

// sumsOf adds up at all voters at once, at the newest revision that all of those have that answer.
func sumsOf(ctx context.Context, voters []Peer, trust *tls.Config) []sum {
	sums, members := make([]sum, len(voters)), make([]*Member, len(voters))
	each(len(voters), func(i int) {
		sums[i].of = voters[i]
		members[i], sums[i].revision, sums[i].err = revision(ctx, voters[i], trust)
	})
	common := newestOfAll(sums)
	each(len(voters), func(i int) {
		if sums[i].err == nil {
			sums[i] = members[i].sum(ctx, sums[i], common)
			_ = members[i].Close() // nothing was written through it
		}
	})
	return sums
}

// each does n things side by side.
func each(n int, do func(i int)) {
	var all errgroup.Group
	for i := range n {
		all.Go(func() error { do(i); return nil })
	}
	_ = all.Wait()
}

func newestOfAll(sums []sum) int64 {
	known := slices.DeleteFunc(slices.Clone(sums), func(s sum) bool { return s.err != nil })
	if len(known) == 0 {
		return 0
	}
	return slices.MinFunc(known, func(a, b sum) int { return cmp.Compare(a.revision, b.revision) }).revision
}

// revision is the newest that the member has, and a connection to it if there is no error.
func revision(ctx context.Context, p Peer, trust *tls.Config) (*Member, int64, error) {
	if len(p.ClientURLs) == 0 {
		return nil, 0, fmt.Errorf("it tells no client URL")
	}
	m, err := dial(ctx, p.ClientURLs[0], tolerantly(trust))
	if err != nil {
		return nil, 0, err
	}
	status, err := m.Status(ctx)
	if err != nil {
		_ = m.Close() // of no use
		return nil, 0, err
	}
	return m, status.Header.Revision, nil
}

func (m *Member) sum(ctx context.Context, s sum, at int64) sum {
	hash, err := m.client.HashKV(ctx, m.client.Endpoints()[0], at)
	switch {
	case ctx.Err() != nil:
		s.err = fmt.Errorf("to add up its data takes longer than %s", sameDataWithin)
	case err != nil:
		s.err = fmt.Errorf("adding up its data: %w", err)
	default:
		s.revision, s.compacted, s.hash = at, hash.CompactRevision, hash.Hash
	}
	return s
}

// comparable says that two sums are of the same part of the history.
func (s sum) comparable(o sum) bool {
	return s.err == nil && o.err == nil && s.compacted == o.compacted
}

// unknown says whose sums can not be compared with the others', and why.
func unknown(sums []sum) []string {
	var reasons []string
	for i, s := range sums {
		switch {
		case s.err != nil:
			reasons = append(reasons, fmt.Sprintf("whether %s has the same data as the others is not known: %v", s.of, s.err))
		case i > 0 && sums[0].err == nil && !s.comparable(sums[0]):
			reasons = append(reasons, fmt.Sprintf("whether %s has the same data as %s is not known: they were compacted meanwhile", s.of, sums[0].of))
		}
	}
	return reasons
}

// disagreement names those that differ from a majority; all, where there is none.
func disagreement(sums []sum) error {
	var odd, lines []string
	var at int64
	for _, s := range sums {
		same, other := s.against(sums)
		if other == 0 {
			continue
		}
		at, lines = s.revision, append(lines, fmt.Sprintf("  %s: %08x", s.of, s.hash))
		if same <= other {
			odd = append(odd, s.of.String())
		}
	}
	if len(odd) == 0 {
		return nil
	}
	return refused("etcd's data differ on %s, at revision %d:\n%s\nhint: find out which are right before anything else; "+
		"whose are not is to be taken out (tripod etcd member remove NAME), reset and joined again", strings.Join(odd, " and "), at, strings.Join(lines, "\n"))
}

// against counts those that have the same data, itself among them, and those that have others.
func (s sum) against(all []sum) (same, other int) {
	for _, o := range all {
		switch {
		case !s.comparable(o):
		case s.hash == o.hash:
			same++
		default:
			other++
		}
	}
	return same, other
}
