package phases

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
)

func listener(addr string, pid int, process string) host.Listener {
	return host.Listener{Addr: netip.MustParseAddrPort(addr), PID: pid, Process: process}
}

func listening(ls ...host.Listener) func(*Master) {
	return func(m *Master) {
		for _, l := range ls {
			m.Survey.Listeners[l.Addr.Port()] = append(m.Survey.Listeners[l.Addr.Port()], l)
		}
	}
}

// manifestOf has the component's manifest lie there, as one of the cluster that is named.
func manifestOf(component string, cluster func(Master) string) func(*Master) {
	return func(m *Master) {
		m.Manifests[component+".yaml"] = []byte("metadata: {name: " + component + ", annotations: {tripod.dev/cluster: '" + cluster(*m) + "'}}")
	}
}

func otherCluster(Master) string { return "sha256:00" }
func noCluster(Master) string    { return "" }

func rootless(m *Master) {
	m.Rootless = true
	sandbox(&m.Config)
	m.Survey = host.Survey{UID: 1000, Listeners: map[uint16][]host.Listener{}, Dirs: m.Survey.Dirs}
}

func etcdHasData(m *Master) {
	m.Survey.Dirs[m.Paths.EtcdData] = host.Dir{Exists: true, Entries: 1, FreeBytes: 100 << 30}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	python := listener("10.0.0.1:2380", 4242, "python3")
	for name, tt := range map[string]struct {
		change         []func(*Master)
		errs, warnings []string // the beginning of each line
	}{
		"all is well":          {},
		"all is well rootless": {change: []func(*Master){rootless}},

		"not root": {[]func(*Master){func(m *Master) { m.Survey.UID = 1000 }}, []string{"[IsPrivilegedUser] user 1000 is not root"}, nil},
		"small":    {[]func(*Master){func(m *Master) { m.Survey.CPUs, m.Survey.MemoryMiB = 1, 1024 }}, []string{"[NumCPU] 1 CPU", "[Mem] 1024 MiB"}, nil},
		"swap":     {[]func(*Master){func(m *Master) { m.Survey.Swap = []string{"/swapfile"} }}, []string{"[Swap] swap is on: /swapfile"}, nil},
		"swap allowed": {[]func(*Master){func(m *Master) {
			m.Survey.Swap = []string{"/swapfile"}
			m.Config.Kubelet = map[string]any{"failSwapOn": false}
		}}, nil, []string{"[Swap] "}},
		"programs":        {[]func(*Master){func(m *Master) { m.Survey.Missing = []string{"losetup"} }}, []string{"[FileExisting-losetup] losetup is not in PATH"}, nil},
		"old kernel":      {[]func(*Master){func(m *Master) { m.Survey.Kernel = "3.10.0-1160.el7" }}, []string{"[SystemVerification] kernel 3.10.0-1160.el7"}, nil},
		"cgroup v1":       {[]func(*Master){func(m *Master) { m.Survey.Cgroup.Version = 1 }}, []string{"[SystemVerification] cgroup v1: a kubelet 1.36 ends here"}, nil},
		"cgroup v1, 1.34": {[]func(*Master){func(m *Master) { m.Survey.Cgroup.Version, m.Version.Minor = 1, 34 }}, nil, []string{"[SystemVerification] cgroup v1 is deprecated"}},
		"cgroup v1, said": {[]func(*Master){func(m *Master) { m.Survey.Cgroup.Version = 1; m.Config.Kubelet = map[string]any{"failCgroupV1": false} }},
			nil, []string{"[SystemVerification] cgroup v1 is deprecated"}},
		"no cgroups":  {[]func(*Master){func(m *Master) { m.Survey.Cgroup = host.Cgroup{} }}, []string{"[SystemVerification] no cgroups"}, nil},
		"controllers": {[]func(*Master){func(m *Master) { m.Survey.Cgroup.Missing = []string{"memory"} }}, []string{"[SystemVerification] cgroup v2 lacks controllers: memory"}, nil},
		"forwarding":  {[]func(*Master){func(m *Master) { m.Survey.IPForward4 = false }}, []string{"[FileContent--proc-sys-net-ipv4-ip_forward] "}, nil},
		"forwarding, dual-stack": {[]func(*Master){func(m *Master) { m.Pods = []netip.Prefix{netip.MustParsePrefix("fd00::/48")} }},
			[]string{"[FileContent--proc-sys-net-ipv6-conf-default-forwarding] "}, nil},
		"no runtime":            {[]func(*Master){func(m *Master) { m.Survey.Runtime = host.Runtime{Err: errors.New("refused")} }}, []string{"[CRI] refused"}, nil},
		"old containerd":        {[]func(*Master){func(m *Master) { m.Survey.Runtime.Version, m.Survey.Runtime.Detects = "1.7.2", false }}, nil, []string{"[ContainerRuntimeVersion] containerd 1.7.2 does not", "[ContainerRuntimeVersion] containerd 1.7.2: "}},
		"no service":            {[]func(*Master){func(m *Master) { m.Survey.Service = host.Service{} }}, []string{"[Service-kubelet] systemd knows no kubelet"}, nil},
		"not enabled":           {[]func(*Master){func(m *Master) { m.Survey.Service.Enabled = false }}, nil, []string{"[Service-kubelet] the kubelet does not start"}},
		"no systemd":            {change: []func(*Master){func(m *Master) { m.Survey.Systemd, m.Survey.Service = false, host.Service{} }}},
		"no systemd, new files": {[]func(*Master){func(m *Master) { m.Survey.Systemd, m.Alive = false, true }}, nil, []string{"[Service-kubelet] the kubelet runs already"}},
		"new kubelet":           {[]func(*Master){func(m *Master) { m.Survey.KubeletVersion = "1.37.0" }}, []string{"[KubeletVersion] kubelet 1.37.0 and a control plane 1.36.3"}, nil},
		"old kubelet":           {[]func(*Master){func(m *Master) { m.Survey.KubeletVersion = "1.32.9" }}, []string{"[KubeletVersion] "}, nil},
		"kubelet in skew":       {change: []func(*Master){func(m *Master) { m.Survey.KubeletVersion = "1.33.0" }}},
		"firewalld":             {[]func(*Master){func(m *Master) { m.Survey.Firewalld = true }}, nil, []string{"[Firewalld] "}},
		"proxy": {[]func(*Master){func(m *Master) {
			m.ProxyEnv = []corev1.EnvVar{{Name: "HTTPS_PROXY", Value: "http://me:secret@proxy:3128"}, {Name: "NO_PROXY", Value: "10.96.0.0/12"}}
		}}, nil, []string{"[HTTPProxy] 10.0.0.1 is reached through the proxy http://me:xxxxx@proxy:3128"}},
		"node name": {[]func(*Master){func(m *Master) { m.Node.Registration.Name = "node_1" }}, []string{`[Hostname] node name "node_1"`}, nil},
		"clock":     {[]func(*Master){func(m *Master) { m.Now = time.Unix(0, 0) }}, []string{"[ClockSanity] the clock says 1970-01-01T00:00:00Z"}, nil},
		"no room":   {[]func(*Master){func(m *Master) { m.Survey.Dirs["/var/lib/etcd"] = host.Dir{FreeBytes: 100 << 20} }}, []string{"[DiskSpace] 100 MiB free on the disk of /var/lib/etcd"}, nil},
		"some room": {[]func(*Master){func(m *Master) { m.Survey.Dirs["/var/lib/etcd"] = host.Dir{FreeBytes: 1 << 30} }}, nil, []string{"[DiskSpace] 1024 MiB free"}},
		"read-only": {[]func(*Master){func(m *Master) { m.Survey.Dirs["/var/lib/kubelet"] = host.Dir{Writable: syscall.EROFS} }},
			[]string{"[Writable--var-lib-kubelet] /var/lib/kubelet can not be written: read-only file system"}, nil},
		"no permission": {[]func(*Master){func(m *Master) {
			for _, dir := range []string{"/etc/kubernetes", "/etc/kubernetes/pki"} {
				m.Survey.Dirs[dir] = host.Dir{Above: "/etc", FreeBytes: 1 << 40, Writable: syscall.EACCES}
			}
		}}, []string{"[Writable--etc] /etc can not be written: permission denied"}, nil},

		"port held":                         {[]func(*Master){listening(python)}, []string{"[Port-2380] port 2380 is held by python3 (pid 4242)"}, nil},
		"port held unseen":                  {[]func(*Master){listening(listener("[::]:6443", 0, ""))}, []string{"[Port-6443] port 6443 is held by a process of another user"}, nil},
		"port of another sandbox":           {change: []func(*Master){listening(listener("127.64.1.1:2379", 7, "etcd"), listener("127.64.1.1:10257", 8, "kube-controller-manager"))}},
		"apiserver of a sandbox in the way": {[]func(*Master){listening(listener("127.64.1.1:6443", 7, "kube-apiserver"))}, []string{"[Port-6443] "}, nil},
		"rootless, other sandbox":           {change: []func(*Master){rootless, listening(listener("127.64.1.1:6443", 7, "kube-apiserver"), listener("127.0.0.1:2379", 7, "etcd"))}},
		"rootless, own address":             {[]func(*Master){rootless, listening(listener("127.7.0.1:10259", 7, "x"))}, []string{"[Port-10259] port 10259 is held by x (pid 7)"}, nil},
		"rootless, all addresses":           {[]func(*Master){rootless, listening(listener("0.0.0.0:2381", 7, "x"))}, []string{"[Port-2381] "}, nil},
		"rootless, kubelet's port":          {change: []func(*Master){rootless, listening(listener("0.0.0.0:10250", 7, "kubelet"))}},
		"kubelet runs":                      {change: []func(*Master){listening(listener("[::]:10250", 7, "kubelet"))}},
		"one who is everywhere":             {[]func(*Master){listening(listener("0.0.0.0:2379", 7, "x"), listener("[::]:2379", 7, "x"))}, []string{"[Port-2379] port 2379 is held by x (pid 7)"}, nil},

		"ours from an earlier run":    {change: []func(*Master){manifestOf("etcd", clusterID), etcdHasData, listening(listener("10.0.0.1:2380", 7, "etcd"))}},
		"ours, known by its process":  {change: []func(*Master){func(m *Master) { m.Running = map[string]host.Running{"etcd": {PID: 4242}} }, listening(python)}},
		"etcd without our manifest":   {[]func(*Master){listening(listener("10.0.0.1:2380", 7, "etcd"))}, []string{"[Port-2380] port 2380 is held by etcd (pid 7)"}, nil},
		"manifest of another cluster": {[]func(*Master){manifestOf("etcd", otherCluster)}, []string{"[FileAvailable--etc-kubernetes-manifests-etcd.yaml] /etc/kubernetes/manifests/etcd.yaml belongs to another cluster: its CA is sha256:00"}, nil},
		"manifest of kubeadm":         {[]func(*Master){manifestOf("kube-scheduler", noCluster)}, []string{"[FileAvailable--etc-kubernetes-manifests-kube-scheduler.yaml] /etc/kubernetes/manifests/kube-scheduler.yaml is there already"}, nil},
		"stray": {[]func(*Master){func(m *Master) {
			m.Manifests["etcd.yaml.bak"] = []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: etcd, namespace: kube-system}")
		}}, []string{"[Stray--etcd.yaml.bak] /etc/kubernetes/manifests/etcd.yaml.bak "}, nil},
		"data of nobody":                 {[]func(*Master){etcdHasData}, []string{"[DirAvailable--var-lib-etcd] /var/lib/etcd is not empty"}, nil},
		"data of nobody, after an init":  {[]func(*Master){etcdHasData, func(m *Master) { m.Journaled = true }}, []string{"[DirAvailable--var-lib-etcd] "}, nil},
		"data of an init with this CA":   {change: []func(*Master){etcdHasData, func(m *Master) { m.Journaled = true; m.Files["/etc/kubernetes/pki/ca.crt"] = host.File{} }}},
		"data beside another's manifest": {[]func(*Master){etcdHasData, manifestOf("etcd", otherCluster)}, []string{"[FileAvailable-", "[DirAvailable-"}, nil},

		"ignored":     {[]func(*Master){listening(python), ignoring("port-2380")}, nil, []string{"[Port-2380] "}},
		"all ignored": {[]func(*Master){listening(python), etcdHasData, ignoring("ALL")}, nil, []string{"[Port-2380] ", "[DirAvailable-"}},
		"all at once": {[]func(*Master){listening(python), etcdHasData, func(m *Master) { m.Survey.CPUs = 1 }, ignoring("Mem")}, []string{"[NumCPU]", "[Port-2380] ", "[DirAvailable-"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			warnings, err := preflight(freshMaster(tt.change...))
			compare(t, "warnings", tt.warnings, warnings)
			var failed *PreflightError
			if err != nil && !errors.As(err, &failed) {
				t.Fatalf("error of type %T", err)
			}
			compare(t, "errors", tt.errs, findings(err))
		})
	}
}

func ignoring(id string) func(*Master) {
	return func(m *Master) { m.Node.Registration.IgnorePreflightErrors = []string{id} }
}

// findings are the lines of an error that begin with an id.
func findings(err error) []string {
	if err == nil {
		return nil
	}
	var found []string
	for line := range strings.Lines(err.Error()) {
		if i := strings.Index(line, "["); i >= 0 {
			found = append(found, strings.TrimSpace(line[i:]))
		}
	}
	return found
}

// compare wants as many texts as beginnings, each with its own.
func compare(t *testing.T, what string, beginnings, texts []string) {
	t.Helper()
	var got []string
	for i, text := range texts {
		if i < len(beginnings) && strings.HasPrefix(text, beginnings[i]) {
			text = beginnings[i]
		}
		got = append(got, text)
	}
	if diff := cmp.Diff(beginnings, got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", what, diff)
	}
}

func TestMissingImages(t *testing.T) {
	t.Parallel()
	all := images(freshMaster().Config)
	for name, tt := range map[string]struct {
		policy string
		change func(*Master)
		want   int
	}{
		"some missing":   {"IfNotPresent", func(*Master) {}, 3},
		"no DNS":         {"IfNotPresent", func(m *Master) { m.Cluster.DNS.Disabled = true }, 2},
		"no kube-proxy":  {"IfNotPresent", func(m *Master) { m.Node.SkipPhases = []string{"addon/kube-proxy"} }, 2},
		"no addons":      {"IfNotPresent", func(m *Master) { m.Node.SkipPhases = []string{"addon"} }, 1},
		"always":         {"Always", func(*Master) {}, len(all)},
		"never":          {"Never", func(*Master) {}, 0},
		"rootless":       {"IfNotPresent", rootless, 0},
		"errors ignored": {"IfNotPresent", ignoring("ImagePull"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := freshMaster(func(m *Master) {
				m.Survey.Images = map[string]bool{all[1]: true, all[2]: true, all[3]: true}
				m.Node.Registration.ImagePullPolicy = tt.policy
			}, tt.change)
			changes, err := missingImages(m)
			if err != nil || len(changes) != tt.want {
				t.Errorf("got %v, %v, want %d", changes, err, tt.want)
			}
		})
	}
}

func TestAsk(t *testing.T) {
	t.Parallel()
	c := pkiConfig(func(c *config.Config) { c.Node.Registration.CRISocket = socket })
	real, sandboxed := ask(c, false), ask(c, true)
	if len(real.Images) != 6 || real.CRISocket != socket || len(real.Ports) != 7 || len(real.KubeletFiles) != 3 {
		t.Errorf("on a machine: %+v", real)
	}
	if sandboxed.CRISocket != "" || sandboxed.Images != nil || len(sandboxed.Ports) != 6 || len(sandboxed.Dirs) != 10 || sandboxed.KubeletFiles != nil {
		t.Errorf("in a sandbox: %+v", sandboxed)
	}
}
