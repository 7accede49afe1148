package phases

import (
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/etcd"
)

// A master that joins again is not changed: what differs is named, and which verb is for it.
func TestJoinAgainAsMaster(t *testing.T) {
	t.Parallel()
	proved := func(m *Master) {
		m.Generations = []Generation{{Number: 1, Verdict: Healthy, Components: map[string]Revision{"etcd": {}}}}
	}
	changed := func(m *Master) { m.Cluster.APIServer.ExtraArgs = []config.Arg{{Name: "v", Value: "4"}} }
	for name, tt := range map[string]struct {
		change []func(*Master)
		want   string
	}{
		"as it has joined":        {[]func(*Master){proved}, ""},
		"the cluster was changed": {[]func(*Master){proved, changed}, "/etc/kubernetes/manifests/kube-apiserver.yaml is not what a join would write now"},
		"its join was killed":     {[]func(*Master){changed}, ""},
		"it has lost its manifest": {[]func(*Master){proved, changed, func(m *Master) {
			delete(m.Files, manifestPath(*m, "kube-apiserver"))
			delete(m.Manifests, "kube-apiserver.yaml")
		}}, ""},
		"etcd has taken its member out": {[]func(*Master){proved, changed, func(m *Master) { m.Etcd = There(etcd.Cluster{ID: 0xc, Members: m.etcdCluster().Members[1:]}) }}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := joiningMaster([]etcd.Peer{member(1, "node-1"), member(2, "node-2")}, remembers(1), withData, hasManifests(t))
			for _, f := range tt.change {
				f(&m)
			}
			found := wouldChange(m)
			if (len(found) > 0) != (tt.want != "") || len(found) > 1 || len(found) > 0 && !strings.Contains(found[0].problem, tt.want) {
				t.Errorf("found %v, want %q", found, tt.want)
			}
		})
	}
}

// hasManifests lays the manifests of a join.
func hasManifests(t *testing.T) func(*Master) {
	return func(m *Master) {
		t.Helper()
		m.EtcdVersion = config.Version{Major: 3, Minor: 6, Patch: 8}
		ca := issue(t, certs.Spec{CommonName: "kubernetes", CA: true, Algorithm: certs.ECDSAP256, Validity: time.Hour}, nil)
		m.PKI = PKI{Pairs: map[string]certs.Pair{clusterCA: ca}}
		for _, want := range []func(Master) ([]Change, error){joinAsLearner, apiserverManifest, controllerManagerManifest, schedulerManifest} {
			changes, err := want(*m)
			if err != nil {
				t.Fatal(err)
			}
			applied(*m, changes)
		}
	}
}
