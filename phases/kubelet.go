package phases

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// kubeletIdentity wants kubelet.conf and what it points at: the kubelet's client certificate,
// issued right into the file that the kubelet rotates it in. kubeadm embeds it in kubelet.conf,
// and starts the kubelet a second time when that has made the file.
func kubeletIdentity(m Master) ([]Change, error) {
	changes := directory(m, m.Paths.Kubelet, 0o700)
	if files := kubeletClientFiles(m); len(files) > 0 {
		changes = append(changes, write(m, files...)...)
	}
	conf, err := kubeconfigFile(kubeletConf)(m)
	if err != nil {
		return nil, err
	}
	serving, err := kubeletServes(m)
	return slices.Concat(changes, conf, serving), err
}

// kubeletServes wants a serving certificate where the kubelet would sign one for itself, unless the user has other plans.
func kubeletServes(m Master) ([]Change, error) {
	_, issued := m.PKI.Pairs[kubeletServing]
	if !issued || m.Rootless || m.Config.Kubelet["serverTLSBootstrap"] == true || m.Config.Kubelet["tlsCertFile"] != nil {
		return nil, nil
	}
	return pair(kubeletServing)(m)
}

// kubeletClientFiles are the file with the kubelet's client certificate and key, named after
// the time as the kubelet names them, and the link to it. The link is not for looks: a
// kubelet refuses to rotate where a file is in its place (client-go,
// util/certificate/certificate_store.go). None if what the link leads to can stay.
func kubeletClientFiles(m Master) []host.File {
	current := kubeletClientPath(m.Config)
	if old := m.Files[current]; old.Link != "" && slices.Equal(old.Data, m.PKI.KubeletClient) {
		return nil
	}
	return rotated(m, m.PKI.KubeletClient)
}

// rotated are the file that holds certificate and key, and the link to it.
func rotated(m Master, pair []byte) []host.File {
	current := kubeletClientPath(m.Config)
	name := "kubelet-client-" + m.Now.Format("2006-01-02-15-04-05") + ".pem"
	return []host.File{
		{Path: filepath.Join(filepath.Dir(current), name), Mode: 0o600, Data: pair},
		{Path: current, Link: name},
	}
}

// kubeletStart wants the kubelet's configuration, the directory that it watches, and the
// kubelet, or in a sandbox the agent, started with them.
func kubeletStart(m Master) ([]Change, error) {
	changes := directory(m, m.Paths.Manifests, 0o700)
	if m.Rootless {
		return append(changes, startRunner("agent", !m.Alive)...), nil
	}
	files, err := kubeletFiles(m)
	if err != nil {
		return nil, err
	}
	begun := !m.Alive || m.Survey.Service.Stale
	for _, f := range files {
		if _, there := m.Files[f.Path]; there && m.registered() {
			continue // what the node has become since is not undone: see kubeletDiffers
		}
		written := write(m, f)
		begun = begun || len(written) > 0
		changes = append(changes, written...)
	}
	return append(changes, startRunner("kubelet", begun)...), nil
}

func startRunner(name string, needed bool) []Change {
	if !needed {
		return nil
	}
	return []Change{{Verb: "start", What: name, do: func(ctx context.Context, s Site) error { return s.Runner.Start(ctx) }}}
}

// kubeletFiles are what the kubelet reads when it starts. config.yaml is the last: packaged
// units and whoever else keeps a kubelet wait for it.
func kubeletFiles(m Master) ([]host.File, error) {
	document, err := kubeletConfiguration(m)
	if err != nil {
		return nil, err
	}
	data, err := yaml.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("encoding the kubelet's configuration: %w", err)
	}
	socket := m.Node.Registration.CRISocket
	paths := KubeletPaths(m.Config)
	return []host.File{
		{Path: paths[0], Mode: 0o644, Data: fmt.Appendf(nil, "KUBELET_KUBEADM_ARGS=%q\n", strings.Join(kubeletArgs(m), " "))},
		{Path: paths[1], Mode: 0o644, Data: fmt.Appendf(nil, "containerRuntimeEndpoint: %q\n", socket)},
		{Path: paths[2], Mode: 0o644, Data: data},
	}, nil
}

// KubeletPaths are the files that the kubelet reads when it starts, see host.KubeletOptions.
func KubeletPaths(c config.Config) []string {
	paths := []string{
		filepath.Join(c.Paths.Kubelet, "kubeadm-flags.env"),
		filepath.Join(c.Paths.Kubelet, "instance-config.yaml"),
		filepath.Join(c.Paths.Kubelet, "config.yaml"),
	}
	if joins(c) {
		paths = append(paths, kubeletConfPath(c), c.Join.CACertPath)
	}
	return paths
}

// kubeletArgs are the flags of this node's kubelet: its name where that is not the hostname,
// and kubeletExtraArgs, which replace defaults of the same name.
func kubeletArgs(m Master) []string {
	node := m.Node.Registration
	var args []config.Arg
	if node.Name != m.Survey.Hostname {
		args = append(args, config.Arg{Name: "hostname-override", Value: node.Name})
	}
	if joins(m.Config) && len(node.Taints) > 0 {
		args = append(args, config.Arg{Name: "register-with-taints", Value: taintsFlag(node.Taints)})
	}
	args = slices.DeleteFunc(args, func(a config.Arg) bool {
		return slices.ContainsFunc(node.KubeletExtraArgs, func(extra config.Arg) bool { return extra.Name == a.Name })
	})
	var flags []string
	for _, a := range slices.Concat(args, node.KubeletExtraArgs) {
		flags = append(flags, "--"+a.Name+"="+a.Value)
	}
	return flags
}

// kubeletConfiguration is the KubeletConfiguration of this node: the defaults, the user's
// document over them, the user's patches, and last what is this node's own.
func kubeletConfiguration(m Master) (map[string]any, error) {
	document, err := patchKubelet(merged(kubeletDefaults(m), m.Config.Kubelet), m.Patches)
	if err != nil {
		return nil, err
	}
	document["containerRuntimeEndpoint"] = m.Node.Registration.CRISocket
	return document, nil
}

// kubeletDefaults are kubeadm's (cmd/kubeadm/app/componentconfigs/kubelet.go). Fields that
// it writes as zero, and that so mean the kubelet's own default, are left out.
func kubeletDefaults(m Master) map[string]any {
	defaults := map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1",
		"kind":       "KubeletConfiguration",
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": true},
			"x509":      map[string]any{"clientCAFile": filepath.Join(m.Paths.PKI, "ca.crt")},
		},
		"authorization":      map[string]any{"mode": "Webhook"},
		"cgroupDriver":       "systemd",
		"clusterDNS":         []any{clusterDNS(m.Services)},
		"clusterDomain":      m.Cluster.Networking.DNSDomain,
		"healthzBindAddress": "127.0.0.1",
		"healthzPort":        10248,
		"rotateCertificates": true,
		"staticPodPath":      m.Paths.Manifests,
	}
	if m.Survey.Resolved {
		// /etc/resolv.conf names systemd-resolved's own loopback address, which in a pod is the pod's.
		defaults["resolvConf"] = "/run/systemd/resolve/resolv.conf"
	}
	return defaults
}

// clusterDNS is the tenth address of the first service subnet.
func clusterDNS(services []netip.Prefix) string {
	if len(services) == 0 {
		return "10.96.0.10"
	}
	ip := services[0].Masked().Addr()
	for range 10 {
		ip = ip.Next()
	}
	return ip.String()
}

// merged is base with over's values in their places, mappings field by field. A null in over
// stands for nothing said, as in kubeadm, where it decodes to the zero value.
func merged(base, over map[string]any) map[string]any {
	out := maps.Clone(base)
	for name, value := range over {
		below, isMapping := value.(map[string]any)
		switch old, wasMapping := out[name].(map[string]any); {
		case value == nil:
		case isMapping && wasMapping:
			out[name] = merged(old, below)
		default:
			out[name] = value
		}
	}
	return out
}

// patchKubelet applies the user's patches for the target kubeletconfiguration. No list of a
// KubeletConfiguration has a merge key, so a strategic merge needs no schema.
func patchKubelet(document map[string]any, files []manifests.PatchFile) (map[string]any, error) {
	data, err := json.Marshal(document)
	for _, f := range manifests.PatchesFor("kubeletconfiguration", files) {
		if err == nil {
			data, err = f.Apply(data, nil)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the kubelet's configuration: %w", err)
	}
	var patched map[string]any
	if err := yaml.Unmarshal(data, &patched); err != nil {
		return nil, fmt.Errorf("the kubelet's configuration: %w", err)
	}
	return patched, nil
}
