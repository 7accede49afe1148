package host

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const kubeletDir = "/var/lib/kubelet"

// configure lays the kubelet's configuration.
func configure(t *testing.T, h *Host, document string) {
	t.Helper()
	laid(t, h, filepath.Join(kubeletDir, "config.yaml"), document)
}

func laid(t *testing.T, h *Host, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(h.Path(path)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.Path(path), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// healthzAt is a configuration by which the kubelet answers there.
func healthzAt(address string) string {
	ip, port, _ := net.SplitHostPort(address)
	return fmt.Sprintf("healthzBindAddress: %q\nhealthzPort: %s\n", ip, port)
}

// The kubelet's configuration is read as the kubelet reads it.
func TestKubeletConfig(t *testing.T) {
	t.Parallel()
	at := netip.MustParseAddrPort
	usual := KubeletConfig{Healthz: at("127.0.0.1:10248"), API: at("127.0.0.1:10250")}
	off := KubeletConfig{API: usual.API}
	const config, env, drop = kubeletDir + "/config.yaml", kubeletDir + "/kubeadm-flags.env", "/etc/kubelet.d"
	runs := func(args ...string) map[string]string {
		return map[string]string{"/proc/7/cmdline": strings.Join(append([]string{"/usr/bin/kubelet"}, args...), "\x00") + "\x00"}
	}
	for name, tt := range map[string]struct {
		files   []map[string]string
		want    KubeletConfig
		problem string
	}{
		"nothing there":   {nil, usual, ""},
		"port":            {[]map[string]string{{config: "healthzPort: 12345"}}, KubeletConfig{Healthz: at("127.0.0.1:12345"), API: usual.API}, ""},
		"switched off":    {[]map[string]string{{config: "healthzPort: 0"}}, off, ""},
		"all addresses":   {[]map[string]string{{config: `{healthzBindAddress: "::", address: "0.0.0.0", port: 9}`}}, KubeletConfig{Healthz: at("[::1]:10248"), API: at("127.0.0.1:9")}, ""},
		"IPv6":            {[]map[string]string{{config: `{healthzBindAddress: "::1", address: "fd00::7"}`}}, KubeletConfig{Healthz: at("[::1]:10248"), API: at("[fd00::7]:10250")}, ""},
		"static pods":     {[]map[string]string{{config: "staticPodPath: /srv/pods"}}, KubeletConfig{Healthz: usual.Healthz, API: usual.API, Manifests: "/srv/pods"}, ""},
		"flags to come":   {[]map[string]string{{env: `KUBELET_KUBEADM_ARGS="--node-ip=10.0.0.1 --healthz-port=0"` + "\n"}}, off, ""},
		"flags, in words": {[]map[string]string{{config: "healthzPort: 1"}, runs("--v", "2", "-healthz-port", "0")}, off, ""},
		"flags of what runs, not of what will": {[]map[string]string{{env: `KUBELET_KUBEADM_ARGS="--healthz-port=7"`}, runs("--pod-manifest-path=/x")},
			KubeletConfig{Healthz: usual.Healthz, API: usual.API, Manifests: "/x"}, ""},
		"another file, and drop-ins": {[]map[string]string{{config: "healthzPort: 1", "/etc/k.yaml": "healthzPort: 2\nstaticPodPath: /a",
			drop + "/20.conf": "staticPodPath: /c", drop + "/10.conf": "staticPodPath: /b", drop + "/30.yaml": "staticPodPath: /d"},
			runs("--config=/etc/k.yaml", "--config-dir="+drop)}, KubeletConfig{Healthz: at("127.0.0.1:2"), API: usual.API, Manifests: "/c"}, ""},
		"no YAML":    {[]map[string]string{{config: "healthzPort: ["}}, KubeletConfig{}, "read the kubelet's configuration " + config},
		"no address": {[]map[string]string{{config: "healthzBindAddress: localhost"}}, KubeletConfig{API: usual.API}, "the kubelet's healthzBindAddress: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := Open(t.TempDir())
			for _, files := range tt.files {
				for path, content := range files {
					laid(t, h, path, content)
				}
			}
			got, err := h.KubeletConfig(kubeletDir)
			if (err != nil) != (tt.problem != "") || !strings.HasPrefix(fmt.Sprint(err), tt.problem) && err != nil {
				t.Errorf("error %v, want %q", err, tt.problem)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Wherever it is told to answer, and if nowhere, the kubelet is found alive.
func TestKubeletAlive(t *testing.T) {
	t.Parallel()
	healthy := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	stranger := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Unauthorized", http.StatusUnauthorized) })
	ill := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusInternalServerError) })
	for name, tt := range map[string]struct {
		serve    http.Handler
		at       string
		document string // with the address and the port
		flags    string
		want     string
	}{
		"another port":                {healthy, "127.0.0.1:0", "healthzBindAddress: %q\nhealthzPort: %s", "", "<nil>"},
		"IPv6":                        {healthy, "[::1]:0", "healthzBindAddress: %q\nhealthzPort: %s", "", "<nil>"},
		"off, knows nobody":           {stranger, "127.0.0.1:0", "healthzPort: 0\naddress: %q\nport: %s", "", "<nil>"},
		"off, by a flag of what runs": {stranger, "127.0.0.1:0", "healthzPort: 1\naddress: %q\nport: %s", "--healthz-port=0", "<nil>"},
		"off, ill":                    {ill, "127.0.0.1:0", "healthzPort: 0\naddress: %q\nport: %s", "", "500 Internal Server Error"},
		"a stranger's healthz":        {stranger, "127.0.0.1:0", "healthzBindAddress: %q\nhealthzPort: %s", "", "401 Unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", tt.at)
			if err != nil {
				t.Skip("this machine has no such address: ", err)
			}
			server := httptest.NewUnstartedServer(tt.serve)
			_ = server.Listener.Close()
			server.Listener = l
			if strings.Contains(tt.document, "healthzBindAddress") {
				server.Start()
			} else {
				server.StartTLS()
			}
			t.Cleanup(server.Close)
			h := Open(t.TempDir())
			ip, port, _ := net.SplitHostPort(l.Addr().String())
			configure(t, h, fmt.Sprintf(tt.document, ip, port))
			if tt.flags != "" {
				laid(t, h, "/proc/7/cmdline", "kubelet\x00"+tt.flags+"\x00")
			}
			k := &Kubelet{host: h, o: KubeletOptions{Dir: kubeletDir}}
			if err := k.Alive(t.Context()); !strings.HasSuffix(fmt.Sprint(err), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}
