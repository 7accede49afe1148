package phases

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// runsEtcd has the machine run the etcd member that its configuration says.
func runsEtcd(t *testing.T) func(*Master) {
	return func(m *Master) {
		t.Helper()
		pod, err := etcdPod(*m)
		if err != nil {
			t.Fatal(err)
		}
		if m.Manifests["etcd.yaml"], err = manifests.Encode(pod); err != nil {
			t.Fatal(err)
		}
		m.Survey.Dirs[memberDir(m.Config)] = host.Dir{Exists: true, Entries: 2}
		m.Survey.Dirs[m.Paths.EtcdData] = host.Dir{Exists: true, Entries: 2}
		m.Survey.Addresses = []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.0.0.1")}
	}
}

// A master whose etcd member the others look for elsewhere is told so before anything is written.
func TestMoved(t *testing.T) {
	t.Parallel()
	up := runsEtcd(t)
	address := func(m *Master) { m.Survey.Addresses[1] = netip.MustParseAddr("10.0.0.7") }
	elsewhere := func(m *Master) { m.Advertise = netip.MustParseAddrPort("10.0.0.7:6443") }
	known := func(urls ...string) func(*Master) {
		return func(m *Master) {
			m.Membership = Membership{Cluster: etcd.FormatID(1), Member: etcd.FormatID(2)}
			m.Etcd = There(etcd.Cluster{ID: 1, Members: []etcd.Peer{{ID: 2, Name: "node-1", PeerURLs: urls}}})
		}
	}
	for name, tt := range map[string]struct {
		change []func(*Master)
		want   string
	}{
		"fresh":                    {nil, ""},
		"where it was":             {[]func(*Master){up, known("https://10.0.0.1:2380")}, ""},
		"its address has gone":     {[]func(*Master){up, address}, "its etcd member is known at https://10.0.0.1:2380, and the machine does not have that address"},
		"is to be elsewhere":       {[]func(*Master){up, elsewhere}, "this master is to be at https://10.0.0.7:2380, and its etcd member is known at https://10.0.0.1:2380"},
		"others have it elsewhere": {[]func(*Master){up, known("https://10.0.0.9:2380")}, "etcd's members know that of this master at https://10.0.0.9:2380, and it runs at https://10.0.0.1:2380"},
		"by a flag": {[]func(*Master){up, func(m *Master) {
			m.EtcdVersion = config.Version{Major: 3, Minor: 6, Patch: 8}
			m.Cluster.Etcd.Local = &config.LocalEtcd{ExtraArgs: []config.Arg{{Name: "initial-advertise-peer-urls", Value: "https://10.0.0.8:2380"}}}
		}}, "this master is to be at https://10.0.0.8:2380"},
		"without data":       {[]func(*Master){up, elsewhere, func(m *Master) { m.Survey.Dirs = map[string]host.Dir{} }}, ""},
		"going back":         {[]func(*Master){up, elsewhere, func(m *Master) { m.Living = &Living{Back: &Generation{}} }}, ""},
		"certificates alone": {[]func(*Master){up, elsewhere, func(m *Master) { m.Living = &Living{Kept: true} }}, ""},
		"in a sandbox":       {[]func(*Master){up, address, rootless}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := moved(freshMaster(tt.change...))
			if (len(found) > 0) != (tt.want != "") || len(found) > 0 && !strings.Contains(found[0].problem, tt.want) {
				t.Errorf("found %v, want %q", found, tt.want)
			}
		})
	}
	if _, err := preflight(freshMaster(up, elsewhere)); err == nil || !strings.Contains(err.Error(), "[EtcdMoved]") {
		t.Errorf("preflight: %v", err)
	}
}

// Who joins is told of a member that is not where the others look for it, as it would wait there in vain.
func TestJoinBesideMoved(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "https://" + gone.Addr().String()
	_ = gone.Close()
	m := freshMaster()
	m.Etcd = There(etcd.Cluster{Members: []etcd.Peer{
		{ID: 1, Name: "there", PeerURLs: []string{nobody, "https://" + l.Addr().String()}}, {ID: 2, Name: "moved", PeerURLs: []string{nobody}},
		{ID: 3, Name: "dead", PeerURLs: []string{nobody}, Err: net.ErrClosed}, {ID: 4, PeerURLs: []string{nobody}},
	}})
	m.Joining = &Joining{astray: astray(t.Context(), m.etcdCluster().Members)}
	found := membersThere(m)
	if len(found) != 1 || !strings.Contains(found[0].problem, "etcd member moved answers its clients, and not its peers at "+nobody) {
		t.Errorf("found %v", found)
	}
}
