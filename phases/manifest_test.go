package phases

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/manifests"
)

// A renewed certificate restarts the pods that read it, by their revision.
func TestRenewalChangesRevisions(t *testing.T) {
	t.Parallel()
	revisions := func(m Master) map[string]string {
		all := map[string]string{}
		for name, want := range map[string]func(Master) ([]Change, error){
			"etcd": etcdManifest, "kube-apiserver": apiserverManifest,
			"kube-controller-manager": controllerManagerManifest, "kube-scheduler": schedulerManifest,
		} {
			changes, err := want(m)
			if err != nil {
				t.Fatal(err)
			}
			all[name] = manifests.RevisionOf(changes[len(changes)-1].Files[0].Data)
		}
		return all
	}
	m, other := provable(t), provable(t)
	before := revisions(m)
	for renewed, want := range map[string][]string{
		"apiserver-etcd-client":   {"kube-apiserver"},
		"etcd/peer":               {"etcd"},
		"kube-controller-manager": {"kube-controller-manager"},
		"etcd/ca":                 {"etcd", "kube-apiserver"},
		"etcd/healthcheck-client": nil,
	} {
		old := m.PKI.Pairs[renewed]
		m.PKI.Pairs[renewed] = other.PKI.Pairs[renewed]
		var got []string
		for name, revision := range revisions(m) {
			if revision != before[name] {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", renewed, diff)
		}
		m.PKI.Pairs[renewed] = old
	}
}
