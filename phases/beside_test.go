package phases

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tripod.dev/tripod/internal/etcd"
)

// A lost quorum ends the wait for an apiserver within seconds, and is named; one that is too slow, or comes back, does not.
func TestBesideEtcd(t *testing.T) {
	t.Parallel()
	gone := etcd.Cluster{Members: []etcd.Peer{{ID: 1, Name: "m1", Err: errors.New("it has no leader")}, {ID: 2, Name: "m2", Err: errors.New("connection refused")}}}
	slow := etcd.Cluster{Members: []etcd.Peer{{ID: 1, Name: "m1", Led: true, Err: errors.New("took longer than 2s")}}}
	for name, test := range map[string]struct {
		answers []Known[etcd.Cluster] // the last of them again and again
		says    string
		within  time.Duration
	}{
		"lost":                  {[]Known[etcd.Cluster]{There(gone)}, "etcd has lost its quorum: 0 of 2 voters are healthy", 10 * time.Second},
		"found again":           {[]Known[etcd.Cluster]{There(gone), There(slow)}, "no apiserver answers", time.Hour},
		"slow":                  {[]Known[etcd.Cluster]{There(slow)}, "no apiserver answers", time.Hour},
		"nobody answers at all": {[]Known[etcd.Cluster]{Unknown[etcd.Cluster](errors.New("serves nobody"))}, "does not either: serves nobody", time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began, asked := time.Now(), 0
				b := &beside{ask: func(context.Context) (etcd.Cluster, error) {
					answer := test.answers[min(asked, len(test.answers)-1)]
					asked++
					now, _ := answer.Value()
					return now, answer.Err()
				}}
				err := b.wait(t.Context(), func(ctx context.Context) error {
					ctx, stop := context.WithTimeout(ctx, time.Minute)
					defer stop()
					<-ctx.Done()
					return errors.New("no apiserver answers")
				})
				if err == nil || !strings.Contains(err.Error(), test.says) || time.Since(began) > test.within {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
			})
		})
	}
}
