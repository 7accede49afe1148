package host

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestDefaultInterface(t *testing.T) {
	t.Parallel()
	const title = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
	const zeros = "00000000000000000000000000000000"
	for name, tt := range map[string]struct {
		parse func([]byte) string
		table string
		want  string
	}{
		"none":            {defaultInterface4, title, ""},
		"one":             {defaultInterface4, title + "eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\neth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n", "eth0"},
		"lower metric":    {defaultInterface4, title + "wlan0 00000000 01 0003 0 0 600 00000000 0 0 0\neth0 00000000 01 0003 0 0 100 00000000 0 0 0\n", "eth0"},
		"first of equals": {defaultInterface4, title + "a 00000000 01 0003 0 0 0 00000000 0 0 0\nb 00000000 01 0003 0 0 0 00000000 0 0 0\n", "a"},
		"down":            {defaultInterface4, title + "a 00000000 01 0002 0 0 0 00000000 0 0 0\n", ""},
		"half of all":     {defaultInterface4, title + "tun0 00000000 00 0003 0 0 0 00000080 0 0 0\n", ""},
		"IPv6": {defaultInterface6, zeros + " 00 " + zeros + " 00 " + zeros + " ffffffff 1 0 00200200 lo\n" +
			zeros + " 00 " + zeros + " 00 fe80000000000000fc5400fffe000001 00000400 2 0 00000003 eth0\n", "eth0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.parse([]byte(tt.table)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestListenersFixture(t *testing.T) {
	t.Parallel()
	const title = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	h := lay(t, map[string]string{
		"/proc/net/tcp": title +
			"   0: 0100007F:094B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0\n" + // 127.0.0.1:2379
			"   1: 0100007F:094B 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 12 1 0 100 0 0 10 0\n" + // connected
			"   2: 0A00000A:094C 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 13 1 0 100 0 0 10 0\n" + // 10.0.0.10:2380
			"   3: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 14 1 0 100 0 0 10 0\n", // not asked for
		"/proc/net/tcp6": title +
			"   0: 00000000000000000000000000000000:192B 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 15 1 0 100 0 0 10 0\n" + // [::]:6443
			"   1: 0000000000000000FFFF00000100007F:280B 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 16 1 0 100 0 0 10 0\n", // 127.0.0.1:10251, mapped
		"/proc/7/fd/0":     "-> /dev/null",
		"/proc/7/fd/3":     "-> socket:[11]",
		"/proc/7/cmdline":  "/usr/local/bin/kube-controller-manager\x00--x\x00",
		"/proc/42/fd/3":    "-> socket:[13]",
		"/proc/42/comm":    "etcd\n",
		"/proc/42/cmdline": "",
		"/proc/self/fd/0":  "-> socket:[15]",
	})
	got, err := h.listeners([]uint16{2379, 2380, 6443, 10251, 9999})
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint16][]Listener{
		2379:  {{Addr: netip.MustParseAddrPort("127.0.0.1:2379"), PID: 7, Process: "kube-controller-manager"}},
		2380:  {{Addr: netip.MustParseAddrPort("10.0.0.10:2380"), PID: 42, Process: "etcd"}},
		6443:  {{Addr: netip.MustParseAddrPort("[::]:6443")}},
		10251: {{Addr: netip.MustParseAddrPort("127.0.0.1:10251")}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := want[6443][0].String(); got != "a process of another user" {
		t.Error(got)
	}
}

// TestListenersHere finds this very process.
func TestListenersHere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := netip.MustParseAddrPort(l.Addr().String())
	found, err := Open("/").listeners([]uint16{addr.Port()})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range found[addr.Port()] {
		if l.Addr == addr && l.PID == os.Getpid() && strings.HasSuffix(l.String(), ".test (pid "+strconv.Itoa(l.PID)+")") {
			return
		}
	}
	t.Errorf("pid %d is not among %v", os.Getpid(), found)
}

func TestCgroup(t *testing.T) {
	t.Parallel()
	const title = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
	for name, tt := range map[string]struct {
		files map[string]string
		want  Cgroup
	}{
		"v2":         {map[string]string{"/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory hugetlb pids\n"}, Cgroup{Version: 2}},
		"v2 lacking": {map[string]string{"/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io\n"}, Cgroup{Version: 2, Missing: []string{"memory", "pids"}}},
		"v1": {map[string]string{"/sys/fs/cgroup/memory/tasks": "",
			"/proc/cgroups": title + "cpuset 3 1 1\ncpu 1 1 1\ncpuacct 2 1 1\nmemory 4 17 0\ndevices 5 1 1\nfreezer 6 1 1\npids 8 1 1\n"},
			Cgroup{Version: 1, Missing: []string{"memory"}}},
		"none": {map[string]string{"/proc/cgroups": title}, Cgroup{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, lay(t, tt.files).cgroup(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestMemoryAndSwap(t *testing.T) {
	t.Parallel()
	memory := []byte("MemTotal:       24684096 kB\nMemFree:  1 kB\nMemAvailable:   23742360 kB\n")
	if got := []int{meminfo(memory, "MemTotal"), meminfo(memory, "MemAvailable"), meminfo(memory, "Gone")}; !slices.Equal(got, []int{24105, 23185, 0}) {
		t.Error(got)
	}
	swaps := []byte("Filename\tType\tSize\tUsed\tPriority\n/dev/dm-1  partition 1 0 -2\n/swapfile  file 1 0 -3\n")
	if diff := cmp.Diff([]string{"/dev/dm-1", "/swapfile"}, swapAreas(swaps)); diff != "" {
		t.Error(diff)
	}
}

func TestDirs(t *testing.T) {
	t.Parallel()
	h := lay(t, map[string]string{"/var/lib/etcd/lost+found/x": "", "/var/lib/kubelet/config.yaml": "", "/file": ""})
	got, err := h.dirs([]string{"/var/lib/etcd", "/var/lib/kubelet", "/etc/kubernetes/pki", "/file"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Dir{"/var/lib/etcd": {Exists: true, Mode: 0o755}, "/var/lib/kubelet": {Exists: true, Mode: 0o755, Entries: 1}, "/etc/kubernetes/pki": {Above: h.Path("/")}, "/file": {}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Dir{}, "FreeBytes", "Writable")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for path, d := range got {
		if (d.Writable == nil) == (path == "/file") {
			t.Errorf("%s: writable: %v", path, d.Writable)
		}
	}
	if got["/etc/kubernetes/pki"].FreeBytes == 0 {
		t.Error("no room on the disk of the test")
	}
}

func TestParseUnits(t *testing.T) {
	t.Parallel()
	units := parseUnits("LoadState=loaded\nActiveState=active\nId=kubelet.service\nUnitFileState=enabled\n\nLoadState=not-found\nActiveState=inactive\nId=firewalld.service\n")
	h := lay(t, map[string]string{"/config.yaml": ""})
	got := h.service(units["kubelet"], []string{"/config.yaml", "/gone"})
	if diff := cmp.Diff(Service{Installed: true, Enabled: true, Active: true}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if units["firewalld"].active() || h.service(units["firewalld"], nil) != (Service{}) {
		t.Error("firewalld is there")
	}
}

// TestStartedBefore: a service that began with the machine is older than any file of now.
func TestStartedBefore(t *testing.T) {
	t.Parallel()
	for started, want := range map[string]bool{"1": true, "999999999999999": false, "": false} {
		if got := (unit{"ExecMainStartTimestampMonotonic": started}).startedBefore(time.Now()); got != want {
			t.Errorf("started at %s: %v", started, got)
		}
	}
}

// TestSurvey looks at the machine that the test runs on.
func TestSurvey(t *testing.T) {
	t.Parallel()
	s, err := Open("/").Survey(t.Context(), Ask{Ports: []uint16{6443, 2379}, Dirs: []string{"/var/lib/etcd"}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Hostname == "" || s.CPUs == 0 || s.MemoryMiB == 0 || s.AvailableMiB == 0 || s.Kernel == "" || s.Dirs["/var/lib/etcd"].FreeBytes == 0 {
		t.Errorf("something is missing in %+v", s)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open("/").Survey(cancelled, Ask{}); err == nil {
		t.Error("a cancelled survey has no error")
	}
}

func BenchmarkSurvey(b *testing.B) {
	for b.Loop() {
		if _, err := Open("/").Survey(b.Context(), Ask{Ports: []uint16{6443, 2379, 2380}, Dirs: []string{"/var/lib/etcd", "/etc/kubernetes"}}); err != nil {
			b.Fatal(err)
		}
	}
}
