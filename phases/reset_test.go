package phases

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
)

// bare is a machine on which reset finds nothing.
func bare(t *testing.T, change ...func(*Master)) Master {
	t.Helper()
	c, _, err := config.LoadReset(nil, "", config.ResetOverrides{}, config.Machine{Hostname: "m1"})
	if err != nil {
		t.Fatal(err)
	}
	m := Master{Config: c, Facts: Facts{Now: pkiNow, Files: map[string]host.File{}, Manifests: map[string][]byte{},
		Survey: host.Survey{Dirs: map[string]host.Dir{}, Runtime: host.Runtime{Name: "containerd"},
			Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.0.0.1")}},
		Etcd:    Unknown[etcd.Cluster](errors.New("connection refused")),
		Leaving: &Leaving{Unstored: fs.ErrNotExist},
	}}
	for _, f := range change {
		f(&m)
	}
	return m
}

// holds puts so many entries into a directory.
func holds(dir func(config.Paths) string) func(*Master) {
	return func(m *Master) { m.Survey.Dirs[dir(m.Paths)] = host.Dir{Exists: true, Entries: 3} }
}

// aWorker is a node with its kubelet, which runs a pod.
func aWorker(m *Master) {
	for _, dir := range []string{m.Paths.PKI, m.Paths.Kubelet, m.Paths.State} {
		m.Survey.Dirs[dir] = host.Dir{Exists: true, Entries: 3}
	}
	for _, path := range []string{kubeletConfPath(m.Config), m.Paths.Kubelet + "/config.yaml"} {
		m.Files[path] = host.File{Path: path}
	}
	m.Leaving.KubeletRuns, m.Leaving.KubeletKept = true, true
	m.Leaving.Sandboxes = []host.Sandbox{{ID: "1", Namespace: "kube-system", Name: "kube-proxy-x"}}
	m.Leaving.Mounts = []string{"/var/lib/kubelet/pods/a/volumes/token"}
}

// aMaster is a node with an etcd member, manifests and kubeconfigs.
func aMaster(m *Master) {
	aWorker(m)
	m.Survey.Dirs[m.Paths.Manifests] = host.Dir{Exists: true, Entries: 4}
	m.Manifests["etcd.yaml"] = []byte(etcdOfM1)
	for _, name := range []string{adminConf, superAdminConf} {
		m.Files[m.Paths.Kubernetes+"/"+name] = host.File{}
	}
	m.Leaving.Staged = []string{m.Paths.Kubernetes + "/.admin.conf.tripod"}
	m.Leaving.Unstored = etcd.ErrRunning
	m.Membership = membership(0xc, 1)
	m.complete()
	etcdHasData(m)
}

const etcdOfM1 = `apiVersion: v1
kind: Pod
metadata: {name: etcd, namespace: kube-system}
spec:
  containers:
  - name: etcd
    command: [etcd, --name=m1, "--initial-advertise-peer-urls=https://10.0.0.1:2380", "--listen-client-urls=https://127.0.0.1:2379,https://10.0.0.1:2379", --initial-cluster-state=existing]
  volumes:
  - {name: etcd-data, hostPath: {path: /mnt/etcd}}
  - {name: etcd-certs, hostPath: {path: /etc/kubernetes/pki/etcd}}
`

// members are those that answer, by a letter each as in etcd's own tests: h healthy, d dead, l a learner, u a learner that never started.
func members(letters string) func(*Master) {
	return func(m *Master) {
		m.Etcd = There(etcd.Cluster{ID: 0xc, Members: peersOf(letters)})
	}
}

func peersOf(letters string) []etcd.Peer {
	var all []etcd.Peer
	for i, letter := range letters {
		n := string(rune('1' + i))
		p := etcd.Peer{ID: uint64(i + 1), Name: "m" + n, PeerURLs: []string{"https://10.0.0." + n + ":2380"}, ClientURLs: []string{"https://10.0.0." + n + ":2379"}, Learner: letter == 'l' || letter == 'u'}
		if letter == 'u' {
			p.Name = ""
		}
		if letter != 'h' && letter != 'l' {
			p.Err = errors.New("connection refused")
		}
		all = append(all, p)
	}
	return all
}

// stored has the member here not run, with data that know of these.
func stored(letters string) func(*Master) {
	return func(m *Master) { m.Leaving.Stored, m.Leaving.Unstored = peersOf(letters), nil }
}

func skips(phase string) func(*Master) {
	return func(m *Master) { m.Node.SkipPhases = []string{phase} }
}

// resetBefore is what an earlier reset, that was killed, has left.
func resetBefore(m *Master) {
	m.Leaving.Record = Record{Node: "m1", EtcdData: "/mnt/etcd", PKI: m.Paths.PKI, Member: m.Membership}
	delete(m.Manifests, "etcd.yaml")
	m.Leaving.Here = EtcdHere{}
	m.complete()
}

func TestDeparture(t *testing.T) {
	t.Parallel()
	remember := func(cluster, member uint64) func(*Master) {
		return func(m *Master) { m.Membership = membership(cluster, member) }
	}
	newForm := func(m *Master) {
		m.Manifests["etcd.yaml"] = []byte(strings.Replace(etcdOfM1, ", --initial-cluster-state=existing", "", 1))
		m.Membership = Membership{}
		m.complete()
	}
	for name, tt := range map[string]struct {
		change []func(*Master)
		want   string // who goes, "last", "" for nobody; or the beginning of the error
	}{
		"bare":                   {nil, ""},
		"worker":                 {[]func(*Master){aWorker}, ""},
		"one of three":           {[]func(*Master){aMaster, members("hhh")}, "m1"},
		"one of two":             {[]func(*Master){aMaster, members("hh")}, "m1"},
		"dead itself":            {[]func(*Master){aMaster, members("dhh")}, "m1"},
		"another dead":           {[]func(*Master){aMaster, members("hdh")}, "error: with m1 removed 1 of 2 voters would be healthy"},
		"no quorum":              {[]func(*Master){aMaster, members("hdd")}, "error: etcd has lost its quorum"},
		"learner":                {[]func(*Master){aMaster, members("lhh")}, "m1"},
		"last":                   {[]func(*Master){aMaster, members("h")}, "last"},
		"last, with a learner":   {[]func(*Master){aMaster, members("hl")}, "error: m1 is the only voter"},
		"removed by others":      {[]func(*Master){aMaster, remember(0xc, 9), func(m *Master) { m.Leaving.Here, m.Survey.Addresses = EtcdHere{}, nil }, members("hh")}, ""},
		"data of whom":           {[]func(*Master){holds(func(p config.Paths) string { return p.EtcdData }), stored("hhh"), func(m *Master) { m.Survey.Addresses = nil }, members("hhh")}, "error: there are etcd data in /var/lib/etcd, and nothing says which of its members (m1, m2, m3) has left them"},
		"another cluster":        {[]func(*Master){aMaster, remember(0xd, 1), members("hh")}, "error: this master is member 1 of etcd cluster d"},
		"added, never ran":       {[]func(*Master){members("uh")}, "the unstarted member at https://10.0.0.1:2380"},
		"known by its address":   {[]func(*Master){aMaster, remember(0, 0), func(m *Master) { m.Membership = Membership{} }, members("hh")}, "m1"},
		"nobody answers, others": {[]func(*Master){aMaster, stored("hhh")}, "error: none of etcd's members (m1, m2, m3) answers: connection refused"},
		"nobody answers, alone":  {[]func(*Master){aMaster, stored("h")}, "last"},
		"nobody answers, running": {[]func(*Master){aMaster, func(m *Master) {
			m.Etcd = Unknown[etcd.Cluster](multierror.Append(nil, errors.New("a"), errors.New("b"), errors.New("a")))
		}},
			"error: no etcd member answers: a; b"},
		"data of another alone":    {[]func(*Master){aMaster, remember(0xc, 7), func(m *Master) { m.Leaving.Here, m.Survey.Addresses = EtcdHere{}, nil }, stored("h")}, "error: none of etcd's members (m1) answers"},
		"data lost":                {[]func(*Master){aMaster, func(m *Master) { m.Leaving.Unstored = fs.ErrNotExist }}, "error: no etcd member answers"},
		"init never came to etcd":  {[]func(*Master){aMaster, newForm, func(m *Master) { m.Leaving.Unstored = fs.ErrNotExist }}, ""},
		"etcd died young":          {[]func(*Master){aMaster, newForm, stored("")}, ""},
		"data, nothing else":       {[]func(*Master){holds(func(p config.Paths) string { return p.EtcdData }), func(m *Master) { m.Leaving.Unstored = errors.New("broken") }}, "error: no etcd member answers"},
		"reset before":             {[]func(*Master){aMaster, resetBefore, stored("hhh")}, ""},
		"reset before, still in":   {[]func(*Master){aMaster, resetBefore, members("hhh")}, "m1"},
		"reset before, then again": {[]func(*Master){aMaster, resetBefore, remember(0xc, 5), stored("hhh")}, "error: none of"},
		"reset before, came back":  {[]func(*Master){aMaster, func(m *Master) { m.Leaving.Record.Member = m.Membership }, stored("hhh")}, "error: none of"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := bare(t, tt.change...).departure()
			got := ""
			switch {
			case d.err != nil:
				got = "error: " + d.err.Error()
			case d.last:
				got = "last"
			case d.member != nil:
				got = d.member.String()
			}
			if got != tt.want && (!strings.HasPrefix(tt.want, "error: ") || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestResetPlan(t *testing.T) {
	t.Parallel()
	worker := []string{
		"create /var/lib/tripod/reset.json (0600)",
		"remove /etc/kubernetes/kubelet.conf, /var/lib/kubelet/config.yaml", "stop kubelet",
		"end kube-system/kube-proxy-x", "unmount volumes below /var/lib/kubelet (1)",
		"clear /var/lib/kubelet (the kubelet's files)", "clear /etc/kubernetes/pki (the certificates)",
		"clear /var/lib/tripod (what tripod knows of this machine)",
	}
	master := []string{
		worker[0], worker[1], worker[2], "clear /etc/kubernetes/manifests (the static pods)", worker[3], worker[4],
		"clear /mnt/etcd (etcd's data)", worker[5],
		"remove /etc/kubernetes/admin.conf, /etc/kubernetes/super-admin.conf, /etc/kubernetes/.admin.conf.tripod", worker[6], worker[7],
	}
	for name, tt := range map[string]struct {
		change         []func(*Master)
		want, warnings []string
	}{
		"bare":         {nil, nil, nil},
		"worker":       {[]func(*Master){aWorker}, worker, nil},
		"last master":  {[]func(*Master){aMaster, members("h")}, master, []string{"this is the only etcd member: the cluster ends with it"}},
		"one of three": {[]func(*Master){aMaster, members("hhh")}, append([]string{"remove m1 (1) from etcd", "confirm that etcd goes on without m1"}, master...), nil},
		"skipped":      {[]func(*Master){aMaster, members("hdd"), skips(leaveEtcdPhase)}, master, []string{"etcd member m1 stays in its cluster, and dead\nhint: on another master, tripod etcd member remove 1"}},
		"skipped, nobody answers": {[]func(*Master){aMaster, stored("hhh"), skips(leaveEtcdPhase)}, master,
			[]string{"this master's etcd member may stay in its cluster, and dead: none of etcd's members (m1, m2, m3) answers: connection refused"}},
		"kubelet down": {[]func(*Master){aWorker, func(m *Master) { m.Leaving.KubeletRuns, m.Leaving.KubeletKept = false, false }}, append(append([]string{}, worker[:2]...), worker[3:]...), nil},
		"kubelet has yet to start a pod": {[]func(*Master){aWorker, func(m *Master) { m.Leaving.Sandboxes, m.Leaving.Mounts = nil, nil }},
			[]string{worker[0], worker[1], worker[2], "end pods that the kubelet may be starting", "unmount volumes below /var/lib/kubelet (0)", worker[5], worker[6], worker[7]}, nil},
		"a packaged kubelet that fails":  {[]func(*Master){func(m *Master) { m.Leaving.KubeletKept = true }}, nil, nil},
		"only tripod's own files":        {[]func(*Master){holds(func(p config.Paths) string { return p.State })}, worker[7:], nil},
		"temporary files, not asked for": {[]func(*Master){func(m *Master) { holds(func(config.Paths) string { return tmpDir(m.Config) })(m) }}, nil, nil},
		"temporary files": {[]func(*Master){func(m *Master) {
			m.Reset.CleanupTmpDir = true
			holds(func(config.Paths) string { return tmpDir(m.Config) })(m)
		}}, []string{worker[0], "clear /etc/kubernetes/tmp (temporary files)", worker[7]}, nil},
		"no runtime": {[]func(*Master){aWorker, func(m *Master) { m.Survey.Runtime.Err = errors.New("refused") }}, append(append([]string{}, worker[:3]...), worker[4:]...), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := bare(t, tt.change...)
			list, _ := Without(Reset(), m.Node.SkipPhases)
			steps, warnings, err := Plan(list, m)
			if diff := cmp.Diff(tt.want, lines(t, changesOf(steps), err)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(tt.warnings, warnings); diff != "" {
				t.Errorf("warnings (-want +got)\n%s", diff)
			}
		})
	}
}

// What an earlier reset has begun the next finishes, with what that one knew.
func TestResetPlanAgain(t *testing.T) {
	t.Parallel()
	m := bare(t, aMaster, members("h"))
	steps, _, err := Plan(Reset(), m)
	if err != nil {
		t.Fatal(err)
	}
	record := changesOf(steps)[0].Files[0]
	again := bare(t, func(m *Master) {
		m.Node.Registration.Name = "another-hostname"
		m.Files[record.Path] = record
		h := host.Open(t.TempDir())
		if err := errors.Join(h.Mkdir("/var/lib/tripod", 0o700), h.Commit(t.Context(), record)); err != nil {
			t.Fatal(err)
		}
		if m.Leaving.Record, err = readRecord(h, m.Config); err != nil {
			t.Fatal(err)
		}
		m.Membership = membership(0xc, 1)
		m.Survey.Dirs["/mnt/etcd"] = host.Dir{Exists: true, Entries: 1}
		m.complete()
	})
	want := []string{"clear /mnt/etcd (etcd's data)", "clear /var/lib/tripod (what tripod knows of this machine)"}
	steps, _, err = Plan(Reset(), again)
	if diff := cmp.Diff(want, lines(t, changesOf(steps), err)); diff != "" || again.Node.Registration.Name != "m1" {
		t.Errorf("of %s (-want +got)\n%s", again.Node.Registration.Name, diff)
	}
}

func TestResetRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change []func(*Master)
		list   []Phase
		want   string
	}{
		"no quorum": {[]func(*Master){aMaster, members("hdd")}, Reset(),
			"[EtcdMember] this master's etcd member can not be removed, and so its data stay: etcd has lost its quorum: 1 of 3 voters are healthy, 2 are needed\n  m2: connection refused\n  m3: connection refused\n" +
				"hint: bring one of them back; if they are gone for good, restore a snapshot on one master (etcdutl snapshot restore); where the cluster is gone for good, --skip-phases remove-etcd-member"},
		"cleanup alone":  {[]func(*Master){aMaster, stored("hhh")}, Only(Reset(), "cleanup-node"), "[EtcdMember] this master's etcd member can not be removed, and so its data stay: none of"},
		"all is ignored": {[]func(*Master){aMaster, stored("hhh"), func(m *Master) { m.Node.Registration.IgnorePreflightErrors = []string{"all"} }}, Reset(), "[EtcdMember] "},
		"not root":       {[]func(*Master){func(m *Master) { m.Survey.UID = 1000 }}, Reset(), "[IsPrivilegedUser] user 1000 is not root"},
		"no runtime, and pods": {[]func(*Master){aWorker, func(m *Master) { m.Survey.Runtime.Err = errors.New("refused") }, func(m *Master) { holds(func(config.Paths) string { return podsDir(m.Config) })(m) }}, Reset(),
			"[CRI] refused, and pods were made here"},
		"data beside others'":         {[]func(*Master){func(m *Master) { m.Paths.EtcdData = "/var/lib" }}, Reset(), "[DirOwn--var-lib] /var/lib is to be cleared, and is not this master's alone: there is /var/lib/kubelet"},
		"home":                        {[]func(*Master){func(m *Master) { m.Paths.PKI = "/home" }}, Reset(), "[DirOwn--home] /home is to be cleared, and is not this master's alone: there is /home"},
		"certificates beside others'": {[]func(*Master){func(m *Master) { m.Paths.PKI, m.Node.Registration.IgnorePreflightErrors = "/", []string{"all"} }}, Reset(), "[DirOwn--] / is to be cleared, and is not"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := Plan(tt.list, bare(t, tt.change...))
			var unfit *PreflightError
			if !errors.As(err, &unfit) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}

// Where things lie and what the node is called, the machine says.
func TestResetCompletes(t *testing.T) {
	t.Parallel()
	h := host.Open(t.TempDir())
	apiserver := "apiVersion: v1\nkind: Pod\nspec: {volumes: [{name: k8s-certs, hostPath: {path: /mnt/pki}}]}"
	for path, data := range map[string]string{
		"/etc/kubernetes/manifests/etcd.yaml": strings.Replace(etcdOfM1, "--name=m1", "--name=m-one", 1), "/etc/kubernetes/manifests/kube-apiserver.yaml": apiserver,
		"/mnt/pki/ca.crt": "x", "/var/lib/kubelet/instance-config.yaml": "containerRuntimeEndpoint: \"unix:///run/other.sock\"\n",
	} {
		if err := os.MkdirAll(h.Path(path[:strings.LastIndex(path, "/")]), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.Path(path), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := bare(t)
	if err := m.readHere(h); err != nil {
		t.Fatal(err)
	}
	if m.Paths.EtcdData != "/mnt/etcd" || m.Paths.PKI != "/mnt/pki" || m.Node.Registration.Name != "m-one" || m.Advertise.Addr() != netip.MustParseAddr("10.0.0.1") || !m.has("/mnt/pki/ca.crt") {
		t.Errorf("%+v, %s at %s", m.Paths, m.Node.Registration.Name, m.Advertise)
	}
	if socket, err := KubeletSocket(h, m.Config); err != nil || socket != "unix:///run/other.sock" {
		t.Errorf("%q, %v", socket, err)
	}
	given := bare(t, func(m *Master) { m.Reset.CertificatesDir, m.Paths.PKI = "/given", "/given" })
	if err := given.readHere(h); err != nil || given.Paths.PKI != "/given" {
		t.Errorf("%s, %v", given.Paths.PKI, err)
	}
}
