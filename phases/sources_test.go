package phases

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// machine has a file, a directory, a socket and a device below /srv.
func machine(t *testing.T) *host.Host {
	t.Helper()
	root := t.TempDir()
	srv := filepath.Join(root, "srv")
	if err := os.MkdirAll(filepath.Join(srv, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(srv, "file"), []byte("a: b"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"null": "/dev/null", "linked": "file", "dangling": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(srv, link)); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(srv, "socket"), Net: "unix"})
	if err != nil {
		t.Skipf("SKIPPED: %v", err) // the path of a socket is at most 107 bytes long
	}
	t.Cleanup(func() { _ = l.Close() })
	return host.Open(root)
}

// reading has the apiserver read what the flag names, with these volumes.
func reading(flag, path string, volumes ...config.HostPathMount) func(*Master) {
	return func(m *Master) {
		m.Cluster.APIServer.ExtraVolumes = volumes
		if flag != "" {
			m.Cluster.APIServer.ExtraArgs = []config.Arg{{Name: flag, Value: path}}
		}
	}
}

// from is a volume of what lies below /srv, at /in.
func from(name, pathType string) config.HostPathMount {
	return config.HostPathMount{Name: "v", HostPath: "/srv/" + name, MountPath: "/in", PathType: pathType}
}

func volume(name, pathType string) func(*Master) { return reading("", "", from(name, pathType)) }

// patched has a patch of the apiserver give it a volume.
func patched(t *testing.T, text string) func(*Master) {
	return func(m *Master) {
		p, err := manifests.ParsePatchFile("kube-apiserver.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		m.Patches = append(m.Patches, p)
	}
}

// All that a manifest mounts or names is looked at, on a real disk, before anything is written.
func TestSources(t *testing.T) {
	t.Parallel()
	pki := provable(t).PKI
	audit, mounted := "audit-policy-file", from("", "")
	for name, tt := range map[string]struct {
		change func(*Master)
		want   string // "" if there is nothing to find
	}{
		"no volumes": {func(*Master) {}, ""},

		"a file":                     {volume("file", "File"), ""},
		"a link to a file":           {volume("linked", "File"), ""},
		"no file":                    {volume("none", "File"), "[FileExisting--srv-none] /srv/none is not there, and kube-apiserver mounts it (volume v, pathType File)"},
		"a link to nowhere":          {volume("dangling", "File"), "/srv/dangling is not there"},
		"a directory for a file":     {volume("dir", "File"), "/srv/dir is a directory, and kube-apiserver mounts it (volume v, pathType File)"},
		"no file, which is made":     {volume("none", "FileOrCreate"), ""},
		"a directory, file is made":  {volume("dir", "FileOrCreate"), "/srv/dir is a directory"},
		"a directory":                {volume("dir", "Directory"), ""},
		"no directory":               {volume("none", "Directory"), "/srv/none is not there"},
		"no directory, but made":     {volume("none", "DirectoryOrCreate"), ""},
		"a file for a directory":     {volume("file", "DirectoryOrCreate"), "/srv/file is a file"},
		"a socket":                   {volume("socket", "Socket"), ""},
		"no socket":                  {volume("none", "Socket"), "/srv/none is not there"},
		"a file for a socket":        {volume("file", "Socket"), "/srv/file is a file"},
		"a device":                   {volume("null", "CharDevice"), ""},
		"a device of the other kind": {volume("null", "BlockDevice"), "/srv/null is a character device"},
		"whatever is there":          {volume("none", ""), ""},
		"what can not be told":       {volume("file/below", "File"), "what lies at /srv/file/below can not be told"},

		"read from a folder":          {reading(audit, "/in/file", mounted), ""},
		"missing in a folder":         {reading(audit, "/in/none", mounted), "[FileExisting--srv-none] /srv/none is not there, and kube-apiserver is to read it (--audit-policy-file)"},
		"a folder":                    {reading(audit, "/in/dir", mounted), "/srv/dir is a directory, and kube-apiserver is to read it"},
		"not mounted":                 {reading(audit, "/srv/file", mounted), "[FileMounted--srv-file] none of kube-apiserver's volumes has /srv/file, and kube-apiserver is to read it (--audit-policy-file)"},
		"read, and made if not there": {reading("token-auth-file", "/in", from("none", "FileOrCreate")), ""},
		"of tripod's own":             {reading("oidc-ca-file", "/etc/kubernetes/pki/ca.crt"), ""},
		"not of tripod's own":         {reading("oidc-ca-file", "/etc/kubernetes/pki/oidc.crt"), "/etc/kubernetes/pki/oidc.crt is not there"},
		"written, not read":           {reading("audit-log-path", "/in/log", mounted), ""},
		"a key and its certificate":   {reading("tls-sni-cert-key", "/in/file,/in/none:*.example", mounted), "/srv/none is not there"},
		"no file of the host": {func(m *Master) {
			reading(audit, "/empty/policy.yaml")(m)
			patched(t, `{spec: {volumes: [{name: e, emptyDir: {}}], containers: [{name: kube-apiserver, volumeMounts: [{name: e, mountPath: /empty}]}]}}`)(m)
		}, ""},
		"by a patch": {patched(t, `{spec: {volumes: [{name: p, hostPath: {path: /srv/none, type: File}}]}}`), "/srv/none is not there, and kube-apiserver mounts it (volume p, pathType File)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := freshMaster(has(pki), tt.change)
			m.readSources(machine(t))
			found := sourcesThere(m)
			switch {
			case tt.want == "" && len(found) > 0:
				t.Errorf("found %v", found)
			case tt.want != "" && (len(found) != 1 || !strings.Contains(found[0].Error(), tt.want)):
				t.Errorf("found %v, want %s", found, tt.want)
			}
		})
	}
}

func has(pki PKI) func(*Master) { return func(m *Master) { m.PKI, m.Now = pki, time.Now() } }

// A process of a sandbox sees the host's own files, mounted or not.
func TestSourcesOfAProcess(t *testing.T) {
	t.Parallel()
	pki := provable(t).PKI
	for path, want := range map[string]string{"/srv/file": "", "/srv/none": "/srv/none is not there"} {
		m := freshMaster(has(pki), rootless, reading("audit-policy-file", path))
		m.readSources(machine(t))
		if found := sourcesThere(m); len(found) > 0 != (want != "") || want != "" && !strings.Contains(found[0].Error(), want) {
			t.Errorf("%s: found %v", path, found)
		}
	}
}

// What one master has, as its encryption configuration, another that joins does not have by itself; what lies there already is
// looked at as the manifests have it where certificates alone change.
func TestSourcesOfVerbs(t *testing.T) {
	t.Parallel()
	encrypted := reading("encryption-provider-config", "/in/none", from("", ""))
	pki := provable(t).PKI
	joins := joiningMaster(nil, has(pki), encrypted)
	joins.readSources(machine(t))
	if _, err := preflight(joins); err == nil || !strings.Contains(err.Error(), "/srv/none is not there") || !strings.Contains(err.Error(), "copy it from another master") {
		t.Errorf("join: %v", err)
	}
	renewed := freshMaster(has(pki))
	renewed.Living = &Living{Kept: true}
	renewed.Manifests["kube-scheduler.yaml"] = []byte(`{apiVersion: v1, kind: Pod, metadata: {name: kube-scheduler},
spec: {containers: [{name: kube-scheduler, command: [kube-scheduler, --config=/srv/none], volumeMounts: [{name: v, mountPath: /srv}]}], volumes: [{name: v, hostPath: {path: /srv}}]}}`)
	renewed.Manifests["kube-apiserver.yaml"] = []byte("kind: Pod") // this is a master
	renewed.readSources(machine(t))
	if _, err := mayChange(renewed); err == nil || !strings.Contains(err.Error(), "/srv/none is not there, and kube-scheduler is to read it (--config)") {
		t.Errorf("renewal: %v", err)
	}
}
