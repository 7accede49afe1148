package phases

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/host"
)

func TestRenewing(t *testing.T) {
	t.Parallel()
	if len(Renewable()) != 13 || !slices.IsSorted(Renewable()) {
		t.Errorf("names are %v", Renewable())
	}
	c := newStage(t, "").c
	for _, name := range append(Renewable(), "all", "ca", "sa", "", "etcd/server") {
		want := renewable()[name]
		if name == "all" {
			want = "admin.conf apiserver apiserver-etcd-client apiserver-kubelet-client controller-manager.conf etcd/healthcheck-client etcd/peer " +
				"etcd/server front-proxy-client kube-controller-manager kube-scheduler scheduler.conf super-admin.conf"
		}
		if got := renewedNames(Renewing(name), pkiNames(pkiRequests(c))); got != want {
			t.Errorf("%q renews %s, want %s", name, got, want)
		}
	}
}

func renewedNames(renew func(string) bool, all []string) string {
	names := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !renew(name) })
	slices.Sort(names)
	return strings.Join(names, " ")
}

// A master that tripod has not made has its manifests kept on the way, by which they come back.
func TestRenewUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := grown(t, "")
		before := s.manifests(t)
		m := s.living(t, solitary(t), func(m *Master) { m.Living.Kept = true })
		disk, err := diskPKI(s.site.Host, m.Config, m.Files)
		if err != nil {
			t.Fatal(err)
		}
		if m.PKI, err = gatherPKI(m.Config, m.renewing(disk, Renewing("etcd-server")), m.Now); err != nil {
			t.Fatal(err)
		}
		if _, err := s.run(t.Context(), t, m, upgrade(t, m, nil)); err != nil {
			t.Fatal(err)
		}
		if got := s.replaced(t, before); got != "etcd" {
			t.Errorf("new are %q, want etcd", got)
		}
		m.Files, m.Manifests, m.Generations, m.Living.Manifests = nil, nil, nil, nil
		_, err = changed("kube-scheduler")(m)
		mentions(t, err, "kube-scheduler.yaml, nor is it known what it was")
	})
}

func TestRenewingOnDisk(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	const ofCA = "admin.conf apiserver apiserver-kubelet-client controller-manager.conf kube-controller-manager kube-scheduler scheduler.conf super-admin.conf"
	const ofEtcd = "apiserver-etcd-client etcd/healthcheck-client etcd/peer etcd/server"
	withoutKey := func(names ...string) func(*DiskPKI) {
		return func(d *DiskPKI) {
			for _, name := range names {
				d.Pairs[name] = [2][]byte{d.Pairs[name][0], nil}
			}
		}
	}
	renewed := func(m *Master) {
		path := issuedAt(s.c, "apiserver")
		m.Files[path] = host.File{Path: path, Mode: 0o644, Data: []byte("drawn by the killed run")}
	}
	gone := func(m *Master) { delete(m.Files, issuedAt(s.c, superAdminConf)) }
	for name, tt := range map[string]struct {
		of     string
		change []func(*Master)
		disk   func(*DiskPKI)
		want   string
	}{
		"one":                         {of: "etcd-peer", want: "etcd/peer"},
		"a kubeconfig":                {of: "scheduler.conf", want: "scheduler.conf"},
		"no such name":                {of: "ca", want: ""},
		"etcd's alone have an issuer": {of: "all", disk: withoutKey(clusterCA, frontProxyCA), want: ofEtcd},
		"etcd's have none":            {of: "all", disk: withoutKey(frontProxyCA, etcdCA), want: ofCA},
		"nobody has":                  {of: "all", disk: withoutKey(clusterCA, frontProxyCA, etcdCA), want: ""},
		"what is not there":           {of: "super-admin.conf", change: []func(*Master){gone}, want: ""},
		"what a killed run has renewed stays": {of: "all", disk: withoutKey(frontProxyCA, etcdCA),
			change: []func(*Master){known(Healthy), begun("upgrade apply", "v1.36.3"), renewed}, want: strings.Replace(ofCA, "apiserver ", "", 1)},
		"not what one of another kind has": {of: "apiserver", change: []func(*Master){known(Healthy), begun("apply", "v1.36.3"), renewed}, want: "apiserver"},
		"not what has changed since":       {of: "apiserver", change: []func(*Master){known(Healthy), renewed}, want: "apiserver"},
	} {
		m := s.living(t, tt.change...)
		disk, err := diskPKI(s.site.Host, m.Config, s.living(t).Files)
		if err != nil {
			t.Fatal(err)
		}
		if tt.disk != nil {
			tt.disk(&disk)
		}
		before := diskNames(disk)
		after := diskNames(m.renewing(disk, Renewing(tt.of)))
		got := renewedNames(func(name string) bool { return !slices.Contains(after, name) }, before)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func diskNames(d DiskPKI) []string {
	var names []string
	for name := range d.Pairs {
		names = append(names, name)
	}
	for name := range d.Kubeconfigs {
		names = append(names, name)
	}
	return names
}

// Other masters and other makers have not all that Init makes.
func TestLacking(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	without := func(m *Master) {
		for _, name := range []string{superAdminConf, "kube-scheduler"} {
			delete(m.Files, issuedAt(s.c, name))
		}
	}
	kept := func(m *Master) { m.Living.Kept = true }
	m := s.living(t)
	base := m.lacking()
	for name, tt := range map[string]struct {
		change []func(*Master)
		want   []string
	}{
		"nothing":                    {nil, nil},
		"a kubeconfig":               {[]func(*Master){without}, []string{superAdminConf}},
		"and leafs, where all stays": {[]func(*Master){without, kept}, []string{superAdminConf, "kube-scheduler"}},
	} {
		got := s.living(t, tt.change...).lacking()
		got = slices.DeleteFunc(got, func(name string) bool { return slices.Contains(base, name) })
		if strings.Join(got, " ") != strings.Join(tt.want, " ") {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func pkiNames(requests []certs.Request) []string {
	var names []string
	for _, r := range requests {
		names = append(names, r.Name)
	}
	return names
}
