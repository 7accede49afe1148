package phases

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/discovery"
	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
)

// member is a healthy voter at 10.0.0.N, with N its ID.
func member(id uint64, name string, change ...func(*etcd.Peer)) etcd.Peer {
	p := etcd.Peer{ID: id, Name: name, PeerURLs: []string{fmt.Sprintf("https://10.0.0.%d:2380", id)}, ClientURLs: []string{fmt.Sprintf("https://10.0.0.%d:2379", id)}}
	for _, f := range change {
		f(&p)
	}
	return p
}

func dead(p *etcd.Peer)      { p.Err = errors.New("connection refused") }
func learning(p *etcd.Peer)  { p.Learner = true }
func unstarted(p *etcd.Peer) { p.Name, p.Learner, p.Err = "", true, errors.New("it has never started") }

// joiningMaster is node-1 at 10.0.0.1, which joins those members as a master.
func joiningMaster(members []etcd.Peer, change ...func(*Master)) Master {
	m := freshMaster()
	m.Join = config.JoinConfiguration{CACertPath: filepath.Join(m.Paths.PKI, "ca.crt"), ControlPlane: &config.JoinControlPlane{}}
	m.Joining = &Joining{Found: discovery.Found{Server: "https://10.0.0.9:6443"}}
	m.Etcd = There(etcd.Cluster{ID: 0xc, Members: members})
	m.Survey.Dirs[m.Paths.EtcdData] = host.Dir{Exists: true}
	for _, f := range change {
		f(&m)
	}
	return m
}

func alarmed(m *Master) {
	c := m.etcdCluster()
	c.Alarms = []string{"NOSPACE on node-2"}
	m.Etcd = There(c)
}

func remembers(id uint64) func(*Master) {
	return func(m *Master) { m.Membership = membership(0xc, id) }
}

func withData(m *Master) {
	d := m.Survey.Dirs[m.Paths.EtcdData]
	d.Entries = 1
	m.Survey.Dirs[m.Paths.EtcdData] = d
}

// withManifest has etcd's manifest there as an earlier run has written it.
func withManifest(flags ...string) func(*Master) {
	return func(m *Master) {
		m.Manifests["etcd.yaml"] = []byte("spec: {containers: [{command: [etcd, '" + strings.Join(flags, "', '") + "']}]}")
	}
}

func TestEtcdJoin(t *testing.T) {
	t.Parallel()
	m2, m3 := member(2, "node-2"), member(3, "node-3")
	tests := map[string]struct {
		members []etcd.Peer
		change  []func(*Master)
		want    []string // what room, learner and promote change
		cluster string   // --initial-cluster
	}{
		"one that is new": {members: []etcd.Peer{m2, m3},
			want:    []string{"add a learner", "manifest", "promote"},
			cluster: "node-1=https://10.0.0.1:2380,node-2=https://10.0.0.2:2380,node-3=https://10.0.0.3:2380"},
		"killed after it was added": {members: []etcd.Peer{m2, m3, member(1, "", unstarted)},
			want:    []string{"remember", "manifest", "promote"},
			cluster: "node-1=https://10.0.0.1:2380,node-2=https://10.0.0.2:2380,node-3=https://10.0.0.3:2380"},
		"killed before its vote": {members: []etcd.Peer{m2, m3, member(1, "node-1", learning)}, change: []func(*Master){remembers(1), withData},
			want:    []string{"manifest", "promote"},
			cluster: "node-1=https://10.0.0.1:2380,node-2=https://10.0.0.2:2380,node-3=https://10.0.0.3:2380"},
		"a member since long": {members: []etcd.Peer{m2, m3, member(1, "node-1")},
			change:  []func(*Master){remembers(1), withData, withManifest("--initial-cluster=node-1=https://10.0.0.1:2380", "--initial-cluster-state=existing")},
			want:    []string{"manifest"},
			cluster: "node-1=https://10.0.0.1:2380"},
		"whose disk was lost": {members: []etcd.Peer{m2, m3, member(1, "node-1", dead)},
			want:    []string{"remove node-1", "add a learner", "manifest", "promote"},
			cluster: "node-1=https://10.0.0.1:2380,node-2=https://10.0.0.2:2380,node-3=https://10.0.0.3:2380"},
		"whose namesake died elsewhere": {members: []etcd.Peer{m2, m3, member(7, "node-1", dead)},
			want: []string{"remove node-1", "add a learner", "manifest", "promote"}},
		"that was removed": {members: []etcd.Peer{m2, m3}, change: []func(*Master){remembers(8), withData},
			want:    []string{"set aside", "add a learner", "manifest", "promote"},
			cluster: "node-1=https://10.0.0.1:2380,node-2=https://10.0.0.2:2380,node-3=https://10.0.0.3:2380"},
		"behind a learner that was left": {members: []etcd.Peer{m2, member(4, "", unstarted)},
			want: []string{"settle", "add a learner", "manifest", "promote"}},
		"that kubeadm has joined": {members: []etcd.Peer{m2, member(1, "node-1")}, change: []func(*Master){withData},
			want: []string{"remember", "manifest"}},
	}
	pki := drawPKI(t, joiningMaster(nil).Config)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := joiningMaster(tt.members, tt.change...)
			m.PKI = pki
			var got []string
			for _, want := range []func(Master) ([]Change, error){makeRoom, joinAsLearner, promote} {
				changes, err := want(m)
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range changes {
					if !strings.Contains(c.What, ".mark") {
						got = append(got, briefly(c))
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			members, existing := m.initialCluster()
			if tt.cluster != "" && members != tt.cluster || !existing {
				t.Errorf("initial cluster %s, existing %v", members, existing)
			}
		})
	}
}

// briefly is a change as the table has it.
func briefly(c Change) string {
	switch c.Verb {
	case "create", "replace":
		if strings.HasSuffix(c.What, "etcd.yaml") {
			return "manifest"
		}
	case "add":
		return "add a learner"
	case "remove":
		return "remove " + strings.Fields(c.What)[4]
	case "settle", "set aside", "promote", "remember":
		return c.Verb
	}
	return c.String()
}

// A first master's manifest keeps what it says of the cluster, too, whoever has joined since.
func TestInitialClusterOfInit(t *testing.T) {
	t.Parallel()
	m := freshMaster()
	if members, existing := m.initialCluster(); members != "node-1=https://10.0.0.1:2380" || existing {
		t.Errorf("%s, existing %v", members, existing)
	}
	withManifest("--initial-cluster=node-1=https://10.0.0.1:2380,node-2=https://10.0.0.2:2380", "--initial-cluster-state=existing")(&m)
	if members, existing := m.initialCluster(); members != "node-1=https://10.0.0.1:2380,node-2=https://10.0.0.2:2380" || !existing {
		t.Errorf("%s, existing %v", members, existing)
	}
	withManifest("--initial-cluster=other=https://10.0.0.1:2380")(&m)
	if members, _ := m.initialCluster(); members != "node-1=https://10.0.0.1:2380" {
		t.Errorf("of another name: %s", members)
	}
}

func TestMasterFindings(t *testing.T) {
	t.Parallel()
	m2, m3 := member(2, "node-2"), member(3, "node-3")
	tests := map[string]struct {
		members []etcd.Peer
		change  []func(*Master)
		find    func(Master) []finding
		want    []string // what is said; those that begin with ~ only warn
	}{
		"fit":                   {[]etcd.Peer{m2, m3}, nil, memberOurs, nil},
		"data of nobody":        {[]etcd.Peer{m2, m3}, []func(*Master){withData}, memberOurs, []string{"is not empty, and no member"}},
		"another cluster's":     {[]etcd.Peer{m2, m3}, []func(*Master){func(m *Master) { m.Membership = membership(0xd, 1) }}, memberOurs, []string{"of etcd cluster d, that to join is c"}},
		"a living namesake":     {[]etcd.Peer{m2, member(7, "node-1")}, nil, memberOurs, []string{"a living member node-1 at https://10.0.0.7:2380"}},
		"somebody at our place": {[]etcd.Peer{m2, member(1, "node-9")}, nil, memberOurs, []string{"a living member node-9"}},
		"another name":          {[]etcd.Peer{m2, member(1, "node-9")}, []func(*Master){remembers(1), withData}, memberOurs, []string{"is called node-9, not node-1"}},

		"data lost":            {[]etcd.Peer{m2, m3, member(1, "node-1", dead)}, []func(*Master){remembers(1)}, dataKept, []string{"this master is member 1 of etcd cluster c"}},
		"disk lost":            {[]etcd.Peer{m2, m3, member(1, "node-1", dead)}, nil, dataKept, nil},
		"added and not yet up": {[]etcd.Peer{m2, m3, member(1, "", unstarted)}, []func(*Master){remembers(1)}, dataKept, nil},
		"removed since":        {[]etcd.Peer{m2, m3}, []func(*Master){remembers(1)}, dataKept, nil},

		"quorum":               {[]etcd.Peer{m2, m3}, nil, quorumKept, nil},
		"one of three dead":    {[]etcd.Peer{m2, m3, member(4, "node-4", dead)}, nil, quorumKept, []string{"~etcd member node-4 is dead"}},
		"two of three dead":    {[]etcd.Peer{m2, member(3, "node-3", dead), member(4, "node-4", dead)}, nil, quorumKept, []string{"1 of 3 voters are healthy, 2 are needed"}},
		"replaces one of two":  {[]etcd.Peer{m2, member(1, "node-1", dead)}, nil, quorumKept, []string{"1 of 2 voters are healthy"}},
		"replaces one of four": {[]etcd.Peer{m2, m3, member(4, "node-4"), member(1, "node-1", dead)}, nil, quorumKept, nil},
		"an alarm":             {[]etcd.Peer{m2}, []func(*Master){alarmed}, quorumKept, []string{"NOSPACE on node-2"}},
		"another joins":        {[]etcd.Peer{m2, member(4, "", unstarted)}, nil, quorumKept, nil},

		"no endpoint": {nil, nil, endpointOutlives, []string{"the cluster has no controlPlaneEndpoint"}},
		"an endpoint": {nil, []func(*Master){func(m *Master) { m.Cluster.ControlPlaneEndpoint = "api:6443" }}, endpointOutlives, nil},

		"clock right":  {nil, nil, clocksAgree, nil},
		"clock doubt":  {nil, []func(*Master){func(m *Master) { m.Joining.Found.Skew = -skewDoubtful }}, clocksAgree, []string{"~10s behind"}},
		"clock wrong":  {nil, []func(*Master){func(m *Master) { m.Joining.Found.Skew = 2 * skewRefused }}, clocksAgree, []string{"10m0s ahead of"}},
		"no claim":     {nil, nil, configurationsAgree, nil},
		"same claims":  {nil, []func(*Master){claims("v1.36.3", "10.96.0.0/12")}, configurationsAgree, nil},
		"other claims": {nil, []func(*Master){claims("v1.35.4", "10.112.0.0/12")}, configurationsAgree, []string{"kubernetesVersion v1.35.4, the cluster has v1.36.3", "networking.serviceSubnet 10.112.0.0/12, the cluster has 10.96.0.0/12"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := tt.find(joiningMaster(tt.members, tt.change...))
			if len(found) != len(tt.want) {
				t.Fatalf("found %v", found)
			}
			for i, f := range found {
				want, warns := strings.CutPrefix(tt.want[i], "~")
				if !strings.Contains(f.Error(), want) || f.harmless != warns {
					t.Errorf("%v (harmless %v), want %s", f, f.harmless, tt.want[i])
				}
			}
		})
	}
}

// claims has the configuration file say something of the cluster.
func claims(version, services string) func(*Master) {
	return func(m *Master) {
		m.Cluster.KubernetesVersion, m.Cluster.Networking.ServiceSubnet = "v1.36.3", "10.96.0.0/12"
		m.Join.Claimed = &config.ClusterConfiguration{KubernetesVersion: version}
		m.Join.Claimed.Networking.ServiceSubnet = services
	}
}

// What masters share comes from the disk, or from the Secret, and never from both if they differ.
func TestShared(t *testing.T) {
	t.Parallel()
	c := joiningMaster(nil).Config
	disk := DiskPKI{Pairs: map[string][2][]byte{}}
	err := disk.complete(c)
	var input *InputError
	if !errors.As(err, &input) || !strings.Contains(err.Error(), "/etc/kubernetes/pki/etcd/ca.crt") || !strings.Contains(err.Error(), "--certificate-key") {
		t.Errorf("nothing is there: %v", err)
	}
	c.Join.ControlPlane.CertificateKey = strings.Repeat("0f", 32)
	_, err = disk.withShared(c, nil)
	if !errors.As(err, &input) || !strings.Contains(err.Error(), "no uploaded certificates") {
		t.Errorf("no Secret: %v", err)
	}
	if err := differ("/a", []byte("one\n"), []byte("one")); err != nil {
		t.Errorf("the same: %v", err)
	}
	if err := differ("/a", []byte("one"), []byte("two")); err == nil || strings.Contains(err.Error(), "one") && strings.Contains(err.Error(), "two") {
		t.Errorf("another: %v", err)
	}
}

// The mark alone is no data, be it a file or what a container runtime has made of it; log and database are.
func TestHasData(t *testing.T) {
	t.Parallel()
	has := func(data int, there ...string) bool {
		m := freshMaster()
		m.Survey.Dirs[m.Paths.EtcdData] = host.Dir{Exists: true, Entries: data}
		for _, dir := range there {
			m.Survey.Dirs[filepath.Join(m.Paths.EtcdData, dir)] = host.Dir{Exists: true}
		}
		return m.hasData()
	}
	if has(0) || has(1, "member") || has(1, "member", "member/tripod.mark") {
		t.Error("there is nothing, and it is taken for data")
	}
	if !has(1, "member", "member/wal") || !has(1, "member", "member/snap") || !has(1) || !has(2, "member") {
		t.Error("data are taken for nothing")
	}
}

func TestMembershipFile(t *testing.T) {
	t.Parallel()
	h, c := host.Open(t.TempDir()), pkiConfig()
	if id, err := readMembership(h, c); id != (Membership{}) || err != nil {
		t.Errorf("without a file: %v, %v", id, err)
	}
	m := Master{Config: c}
	if err := h.Mkdir(c.Paths.State, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := m.remember(t.Context(), Site{Host: h}, membership(0xabc, 0xdef)); err != nil {
		t.Fatal(err)
	}
	if id, err := readMembership(h, c); id != (Membership{Cluster: "abc", Member: "def"}) || err != nil {
		t.Errorf("read back: %v, %v", id, err)
	}
}
