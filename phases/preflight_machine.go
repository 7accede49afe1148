package phases

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"
	"k8s.io/apimachinery/pkg/util/validation"

	"tripod.dev/tripod/internal/config"
)

// What a control-plane node has to have, as kubeadm has it (cmd/kubeadm/app/constants).
const (
	leastCPUs      = 2
	leastMemoryMiB = 1700
)

func privileged(m Master) []finding {
	if m.Survey.UID == 0 {
		return nil
	}
	return []finding{{id: "IsPrivilegedUser", problem: fmt.Sprintf("user %d is not root", m.Survey.UID), hint: "run it with sudo"}}
}

func cpus(m Master) []finding {
	if m.Survey.CPUs >= leastCPUs {
		return nil
	}
	return []finding{{id: "NumCPU", problem: fmt.Sprintf("%d CPU, a master needs %d", m.Survey.CPUs, leastCPUs)}}
}

func memory(m Master) []finding {
	if m.Survey.MemoryMiB >= leastMemoryMiB {
		return nil
	}
	return []finding{{id: "Mem", problem: fmt.Sprintf("%d MiB of memory, a master needs %d", m.Survey.MemoryMiB, leastMemoryMiB)}}
}

// swap is a warning in kubeadm, whatever the kubelet is told. But a kubelet that is not told
// failSwapOn: false ends at once where there is swap.
func swap(m Master) []finding {
	if len(m.Survey.Swap) == 0 {
		return nil
	}
	f := finding{id: "Swap", problem: "swap is on: " + strings.Join(m.Survey.Swap, ", ")}
	if f.harmless = kubeletSays(m, "failSwapOn", false); !f.harmless {
		f.hint = "swapoff -a, or a KubeletConfiguration with failSwapOn: false"
	}
	return []finding{f}
}

// kubeletSays is whether a field of the kubelet's configuration, patches and all, has the
// value. A configuration that can not be made is told by the phase that wants it.
func kubeletSays(m Master, field string, value any) bool {
	document, err := kubeletConfiguration(m)
	return err == nil && document[field] == value
}

func programs(m Master) []finding {
	var found []finding
	for _, name := range m.Survey.Missing {
		found = append(found, finding{id: "FileExisting-" + name, problem: name + " is not in PATH, and the kubelet runs it",
			hint: "install it (package mount or util-linux)"})
	}
	return found
}

// systemVerification is kubeadm's check of kernel and cgroups. kubeadm fails it on cgroup v1
// whatever the kubelet is told; what is true is that the kubelet since 1.35 ends there unless
// it is told failCgroupV1: false.
func systemVerification(m Master) []finding {
	const id = "SystemVerification"
	var found []finding
	if older(m.Survey.Kernel, 4, 15) {
		found = append(found, finding{id: id, problem: "kernel " + m.Survey.Kernel + " is older than 4.15"})
	}
	switch group := m.Survey.Cgroup; {
	case group.Version == 0:
		found = append(found, finding{id: id, problem: "no cgroups at /sys/fs/cgroup", hint: "mount cgroup2 there"})
	case len(group.Missing) > 0:
		found = append(found, finding{id: id, problem: fmt.Sprintf("cgroup v%d lacks controllers: %s", group.Version, strings.Join(group.Missing, ", "))})
	case group.Version == 1 && (m.Version.Minor < 35 || kubeletSays(m, "failCgroupV1", false)):
		found = append(found, finding{id: id, problem: "cgroup v1 is deprecated", harmless: true})
	case group.Version == 1:
		found = append(found, finding{id: id, problem: fmt.Sprintf("cgroup v1: a kubelet %d.%d ends here", m.Version.Major, m.Version.Minor),
			hint: "move to cgroup v2, or give a KubeletConfiguration with failCgroupV1: false"})
	}
	return found
}

// older is whether a kernel's release is older than a version. One that can not be read is not.
func older(release string, major, minor int) bool {
	numbers := strings.FieldsFunc(release, func(r rune) bool { return r < '0' || r > '9' })
	if len(numbers) < 2 {
		return false
	}
	x, _ := strconv.Atoi(numbers[0])
	y, _ := strconv.Atoi(numbers[1])
	return x < major || x == major && y < minor
}

func forwarding(m Master) []finding {
	var found []finding
	addrs := []netip.Addr{m.Advertise.Addr()}
	for _, p := range slices.Concat(m.Services, m.Pods) {
		addrs = append(addrs, p.Addr())
	}
	if !m.Survey.IPForward4 && slices.ContainsFunc(addrs, netip.Addr.Is4) {
		found = append(found, notForwarding("/proc/sys/net/ipv4/ip_forward", "net.ipv4.ip_forward"))
	}
	if !m.Survey.IPForward6 && slices.ContainsFunc(addrs, netip.Addr.Is6) {
		found = append(found, notForwarding("/proc/sys/net/ipv6/conf/default/forwarding", "net.ipv6.conf.default.forwarding"))
	}
	return found
}

func notForwarding(path, sysctl string) finding {
	return finding{id: pathID("FileContent", path), problem: path + " is not 1", hint: "sysctl -w " + sysctl + "=1, and a file in /etc/sysctl.d"}
}

func containerRuntime(m Master) []finding {
	r := m.Survey.Runtime
	if r.Err != nil {
		return []finding{{id: "CRI", problem: r.Err.Error(), hint: "start the container runtime, or name another with --cri-socket"}}
	}
	var found []finding
	if !r.Detects {
		found = append(found, finding{id: "ContainerRuntimeVersion", harmless: true,
			problem: fmt.Sprintf("%s %s does not tell its cgroup driver (RuntimeConfig), which kubelets will soon ask for", r.Name, r.Version)})
	}
	if r.Name == "containerd" && strings.HasPrefix(strings.TrimPrefix(r.Version, "v"), "1.") && m.Version.Minor >= 36 {
		found = append(found, finding{id: "ContainerRuntimeVersion", harmless: true,
			problem: "containerd " + r.Version + ": Kubernetes 1.35 was the last to support containerd 1.x", hint: "upgrade to containerd 2"})
	}
	return found
}

func kubeletService(m Master) []finding {
	f := finding{id: "Service-kubelet", harmless: true}
	switch s := m.Survey.Service; {
	case !m.Survey.Systemd && m.Alive && kubeletChanges(m):
		f.problem = "the kubelet runs already, no systemd keeps it, and its files change"
		f.hint = "restart the kubelet: it reads its files only when it starts"
	case !m.Survey.Systemd:
		return nil
	case !s.Installed:
		f.harmless = false
		f.problem, f.hint = "systemd knows no kubelet service", "install the kubelet package, or its unit files"
	case !s.Enabled:
		f.problem, f.hint = "the kubelet does not start with the machine", "systemctl enable kubelet.service"
	default:
		return nil
	}
	return []finding{f}
}

// kubeletChanges is whether a file that the kubelet has read is to be replaced.
func kubeletChanges(m Master) bool {
	files, err := kubeletFiles(m)
	if err != nil {
		return false
	}
	for _, f := range files {
		if len(write(m, f)) > 0 {
			return true
		}
	}
	return false
}

// kubeletVersion checks the skew that Kubernetes allows: not newer than the apiserver, at most three minors older.
func kubeletVersion(m Master) []finding {
	v, err := config.ParseVersion(m.Survey.KubeletVersion)
	if err != nil {
		return nil
	}
	f := finding{id: "KubeletVersion", problem: fmt.Sprintf("kubelet %s and a control plane %s", v, m.Version)}
	switch behind := m.Version.Minor - v.Minor; {
	case behind < 0:
		f.hint = "a kubelet must not be newer than its apiserver"
	case behind > 3:
		f.hint = "a kubelet may be at most three minor versions older than its apiserver"
	default:
		return nil
	}
	return []finding{f}
}

func firewalld(m Master) []finding {
	if !m.Survey.Firewalld {
		return nil
	}
	return []finding{{id: "Firewalld", harmless: true,
		problem: fmt.Sprintf("firewalld is active: ports %d, 2379, 2380 and 10250 have to be open", m.Advertise.Port())}}
}

// proxies warns where components would be reached through a proxy: they inherit the variables.
func proxies(m Master) []finding {
	proxy := httpproxy.Config{}
	for _, v := range m.ProxyEnv {
		switch strings.ToLower(v.Name) {
		case "https_proxy":
			proxy.HTTPSProxy = v.Value
		case "no_proxy":
			proxy.NoProxy = v.Value
		}
	}
	found := viaProxy(proxy, "HTTPProxy", m.Advertise.Addr(), m.Advertise.Addr().String())
	for _, p := range slices.Concat(m.Services, m.Pods) {
		found = append(found, viaProxy(proxy, "HTTPProxyCIDR", p.Masked().Addr().Next(), p.String())...)
	}
	return found
}

func viaProxy(proxy httpproxy.Config, id string, ip netip.Addr, what string) []finding {
	via, err := proxy.ProxyFunc()(&url.URL{Scheme: "https", Host: netip.AddrPortFrom(ip, 1234).String()})
	if err != nil || via == nil {
		return nil
	}
	return []finding{{id: id, harmless: true, problem: what + " is reached through the proxy " + via.Redacted(), hint: "add it to no_proxy"}}
}

func nodeName(m Master) []finding {
	name := m.Node.Registration.Name
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		return []finding{{id: "Hostname", problem: fmt.Sprintf("node name %q: %s", name, strings.Join(problems, "; ")),
			hint: "give another one with --node-name"}}
	}
	if len(name) > validation.LabelValueMaxLength {
		return []finding{{id: "Hostname", problem: fmt.Sprintf("node name %q has %d bytes: it is the value of a label, kubernetes.io/hostname, which has at most %d", name, len(name), validation.LabelValueMaxLength),
			hint: "give another one with --node-name"}}
	}
	return nil
}

// clock finds clocks that can not be right: by the CA, which others trust from its beginning
// only, or by the oldest Kubernetes that tripod runs, which was released in August 2025.
func clock(m Master) []finding {
	const id, hint = "ClockSanity", "set the clock, and keep it set (chrony, systemd-timesyncd)"
	now := m.Now.UTC().Format(time.RFC3339)
	if m.Now.Before(time.Date(2025, time.August, 1, 0, 0, 0, 0, time.UTC)) {
		return []finding{{id: id, problem: "the clock says " + now + ", which is long ago", hint: hint}}
	}
	if ca := m.PKI.Pairs[clusterCA].Cert; ca != nil && m.Now.Before(ca.NotBefore) {
		return []finding{{id: id, problem: fmt.Sprintf("the clock says %s, and ca.crt begins at %s", now, ca.NotBefore.UTC().Format(time.RFC3339)), hint: hint}}
	}
	return nil
}
