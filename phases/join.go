package phases

import (
	"path/filepath"
	"slices"
	"strings"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
)

// Join is how a worker joins a cluster: the kubelet's certificate is asked for before the kubelet starts, which so
// starts once, with all that it needs. The token is never written.
func Join() []Phase {
	return []Phase{
		{Name: "preflight", About: "find the cluster, look at everything that could get in the way", Check: preflight},
		{Name: "kubelet-start", About: "the kubelet's certificate and configuration, and the kubelet", Want: joinKubelet},
		{Name: "kubelet-wait-bootstrap", About: "wait until the kubelet is healthy and the node is in the cluster",
			Proof: Proof{Of: "the kubelet", Attempt: proveJoined,
				Within: kubeletWithin, Explain: kubeletSaid}, Sweeps: true},
	}
}

// joins says whether the machine joins a cluster, rather than making one.
func joins(c config.Config) bool { return c.Join.CACertPath != "" }

func joinsAsMaster(c config.Config) bool { return joins(c) && c.Join.ControlPlane != nil }

func joinsAsWorker(c config.Config) bool { return joins(c) && c.Join.ControlPlane == nil }

// joinKubelet wants all that the kubelet reads, its client certificate first: the rest needs no one else.
func joinKubelet(m Master) ([]Change, error) {
	conf, err := kubeconfigFile(kubeletConf)(m)
	if err != nil {
		return nil, err
	}
	serving, err := joinServes(m)
	if err != nil {
		return nil, err
	}
	identity := slices.Concat(
		write(m, host.File{Path: m.Join.CACertPath, Mode: 0o644, Data: m.Joining.Found.CA}), m.requestClient(), needing(conf), serving)
	start, err := kubeletStart(m)
	if err != nil {
		return nil, err
	}
	begun := slices.ContainsFunc(start, func(c Change) bool { return c.Verb == "start" })
	if len(identity) > 0 && !begun {
		start = append(start, startRunner("kubelet", true)...)
	}
	return slices.Concat(directory(m, m.Paths.Kubelet, 0o700), identity, start), nil
}

// joinServes wants the self-signed serving pair that the kubelet would otherwise draw, an RSA key, at its first
// start.
func joinServes(m Master) ([]Change, error) {
	p := m.Joining.Serving
	if p.Cert == nil || m.Config.Kubelet["serverTLSBootstrap"] == true || m.Config.Kubelet["tlsCertFile"] != nil {
		return nil, nil
	}
	certPath, keyPath := pairPaths(m.Config, kubeletServing)
	key, err := p.KeyPEM()
	if err != nil {
		return nil, err
	}
	return write(m, host.File{Path: keyPath, Mode: 0o600, Data: key}, host.File{Path: certPath, Mode: 0o644, Data: p.CertPEM()}), nil
}

// nodeUser is the user that the kubelet is.
func nodeUser(c config.Config) string { return "system:node:" + c.Node.Registration.Name }

func kubeletConfPath(c config.Config) string { return filepath.Join(c.Paths.Kubernetes, kubeletConf) }

// taintsFlag are taints as the kubelet's flag has them: key=value:effect, with commas between.
func taintsFlag(taints []config.Taint) string {
	var all []string
	for _, t := range taints {
		text := t.Key
		if t.Value != "" {
			text += "=" + t.Value
		}
		all = append(all, text+":"+t.Effect)
	}
	return strings.Join(all, ",")
}
