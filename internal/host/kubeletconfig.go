package host

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// KubeletConfig is what others have to know of a kubelet's configuration.
type KubeletConfig struct {
	// Healthz is where it says whether it is healthy, to whoever asks from here; not valid where that is switched off.
	Healthz netip.AddrPort
	// API is where it serves, over TLS, who may ask it.
	API netip.AddrPort
	// Manifests is the directory of its static pods, "" for none.
	Manifests string
}

// KubeletConfig reads the configuration of the kubelet whose directory is dir, as the kubelet does: defaults below its file,
// below drop-ins, below flags. Flags are those of the kubelet that runs, or where none does, those that it will be given.
func (h *Host) KubeletConfig(dir string) (KubeletConfig, error) {
	if flags := h.kubeletFlags(); flags != nil {
		return h.kubeletConfig(dir, flags)
	}
	return h.kubeletConfig(dir, h.givenFlags(dir))
}

// askKubelet reads the kubelet's configuration into the survey.
func (h *Host) askKubelet(ask Ask, s *Survey) {
	if ask.KubeletDir == "" {
		return
	}
	s.Kubelet, s.KubeletErr = h.KubeletConfig(ask.KubeletDir)
	there, err := os.Stat(h.Path(s.Kubelet.Manifests))
	wanted, err2 := os.Stat(h.Path(ask.Manifests))
	if err == nil && err2 == nil && os.SameFile(there, wanted) {
		s.Kubelet.Manifests = ask.Manifests
	}
}

// kubeletDocument are fields of a KubeletConfiguration.
type kubeletDocument struct {
	HealthzPort        *int   `json:"healthzPort"`
	HealthzBindAddress string `json:"healthzBindAddress"`
	Port               int    `json:"port"`
	Address            string `json:"address"`
	StaticPodPath      string `json:"staticPodPath"`
}

// kubeletConfig is the configuration by dir's files and those flags.
func (h *Host) kubeletConfig(dir string, flags map[string]string) (KubeletConfig, error) {
	files := []string{cmp.Or(flags["config"], filepath.Join(dir, "config.yaml"))}
	if dropIns := flags["config-dir"]; dropIns != "" {
		names, err := h.List(dropIns)
		if err != nil {
			return KubeletConfig{}, err
		}
		slices.Sort(names)
		for _, name := range names {
			if filepath.Ext(name) == ".conf" {
				files = append(files, filepath.Join(dropIns, name))
			}
		}
	}
	var d kubeletDocument
	for _, path := range files {
		f, _, err := h.Read(path)
		if err == nil {
			err = yaml.Unmarshal(f.Data, &d)
		}
		if err != nil {
			return KubeletConfig{}, fmt.Errorf("read the kubelet's configuration %s: %w", path, err)
		}
	}
	d.flags(flags)
	return d.config()
}

// flags puts what the command line says over the document.
func (d *kubeletDocument) flags(flags map[string]string) {
	d.HealthzBindAddress = cmp.Or(flags["healthz-bind-address"], d.HealthzBindAddress)
	d.Address = cmp.Or(flags["address"], d.Address)
	if path, given := flags["pod-manifest-path"]; given {
		d.StaticPodPath = path
	}
	if port, err := strconv.Atoi(flags["healthz-port"]); err == nil {
		d.HealthzPort = &port
	}
	if port, err := strconv.Atoi(flags["port"]); err == nil {
		d.Port = port
	}
}

// config fills in the kubelet's defaults (pkg/kubelet/apis/config/v1beta1/defaults.go).
func (d *kubeletDocument) config() (c KubeletConfig, err error) {
	c.Manifests = d.StaticPodPath
	if c.API, err = askedAt(cmp.Or(d.Address, "0.0.0.0"), cmp.Or(d.Port, 10250)); err != nil {
		return c, fmt.Errorf("the kubelet's address: %w", err)
	}
	healthz := 10248
	if d.HealthzPort != nil {
		healthz = *d.HealthzPort
	}
	if healthz == 0 {
		return c, nil
	}
	if c.Healthz, err = askedAt(cmp.Or(d.HealthzBindAddress, "127.0.0.1"), healthz); err != nil {
		return c, fmt.Errorf("the kubelet's healthzBindAddress: %w", err)
	}
	return c, nil
}

// askedAt is where one who listens is reached from here.
func askedAt(address string, port int) (netip.AddrPort, error) {
	ip, err := netip.ParseAddrPort(net.JoinHostPort(address, strconv.Itoa(port)))
	switch {
	case err != nil:
		return ip, err
	case ip.Addr() == netip.IPv6Unspecified():
		return netip.AddrPortFrom(netip.IPv6Loopback(), ip.Port()), nil
	case ip.Addr().IsUnspecified():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), ip.Port()), nil
	}
	return ip, nil
}

// kubeletFlags are the flags of the kubelet that runs, nil if none does.
func (h *Host) kubeletFlags() map[string]string {
	for _, pid := range h.processes("kubelet") {
		line, err := os.ReadFile(h.Path(filepath.Join("/proc", strconv.Itoa(pid), "cmdline")))
		if args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00"); err == nil && len(args) > 0 {
			return parseFlags(args[1:])
		}
	}
	return nil
}

// givenFlags are the flags that wait for the kubelet in dir.
func (h *Host) givenFlags(dir string) map[string]string {
	f, _, err := h.Read(filepath.Join(dir, "kubeadm-flags.env"))
	if err != nil {
		return nil
	}
	_, line, _ := strings.Cut(string(f.Data), "KUBELET_KUBEADM_ARGS=")
	return parseFlags(strings.Fields(strings.Trim(strings.TrimSpace(line), `"`)))
}

// parseFlags reads --name=value and --name value; the last of a name counts.
func parseFlags(args []string) map[string]string {
	flags := map[string]string{}
	for i, arg := range args {
		name, isFlag := strings.CutPrefix(arg, "-")
		name, value, whole := strings.Cut(strings.TrimPrefix(name, "-"), "=")
		if isFlag && !whole && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			value = args[i+1]
		}
		if isFlag {
			flags[name] = value
		}
	}
	return flags
}
