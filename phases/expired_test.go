package phases

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
)

// aged is a living master some time after its leafs have expired, with what is drawn in their place.
func aged(t *testing.T, s stage) Master {
	t.Helper()
	m := s.living(t, solitary(t), func(m *Master) { m.Living.Kept = true })
	m.Now = m.Now.Add(2 * 365 * 24 * time.Hour)
	disk, err := diskPKI(s.site.Host, m.Config, m.Files)
	if err != nil {
		t.Fatal(err)
	}
	if m.PKI, err = gatherPKI(m.Config, disk, m.Now); err != nil {
		t.Fatal(err)
	}
	return m
}

// etcd's certificates that have expired are replaced before anything stops, and no others are.
func TestEtcdRenewedInPlace(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	if changes, err := etcdRenewedInPlace(s.living(t)); err != nil || len(changes) > 0 {
		t.Errorf("of valid ones: %v, %v", changes, err)
	}
	changes, err := etcdRenewedInPlace(aged(t, s))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, c := range changes {
		for _, f := range c.Files {
			paths = append(paths, strings.TrimPrefix(f.Path, s.c.Paths.PKI+"/"))
		}
	}
	expect(t, []string{"etcd/server.key", "etcd/server.crt", "etcd/peer.key", "etcd/peer.crt", "etcd/healthcheck-client.key", "etcd/healthcheck-client.crt"}, paths)
	list := Upgrade()
	at := func(name string) int { return slices.IndexFunc(list, func(p Phase) bool { return p.Name == name }) }
	if in, stop := at("control-plane/etcd-certs"), at("control-plane/stop"); in < 0 || in > stop || list[in].Locked {
		t.Error("it is done too late, or waits for a turn that nobody can have")
	}
}

// An etcd that answers nobody before it has a valid certificate gets one, and is asked before it stops.
func TestExpiredIsNoReasonToRefuse(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	valid, old := s.living(t, otherEtcd), aged(t, s)
	valid.Etcd, old.Etcd = Known[etcd.Cluster]{}, Known[etcd.Cluster]{}
	if len(quorumAfter(valid)) != 1 {
		t.Error("nobody could be asked, and it is not refused")
	}
	if found := quorumAfter(old); len(found) > 0 {
		t.Errorf("the certificates that keep it from answering can not be replaced: %v", found)
	}
}

// What goes back leaves the certificates away that have expired meanwhile.
func TestExpiredStaysAway(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	m := s.living(t)
	for component, want := range map[string][]string{
		"etcd":           {"etcd.yaml"},
		"kube-scheduler": {"kube-scheduler.yaml"},
	} {
		files := m.earlierFiles(component)
		if kept := unexpired(files, m.Now); len(kept) != len(files) {
			t.Errorf("%s: of valid ones only %d of %d go back", component, len(kept), len(files))
		}
		var names []string
		for _, f := range unexpired(files, m.Now.Add(2*365*24*time.Hour)) {
			names = append(names, filepath.Base(f.Path))
		}
		expect(t, want, names)
	}
	if kept := unexpired([]host.File{{Path: "/a.crt", Data: []byte("torn")}, {Path: "/a.conf"}}, m.Now); len(kept) != 2 {
		t.Error("what can not be read is left away")
	}
}
