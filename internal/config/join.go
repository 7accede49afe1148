package config

import (
	"cmp"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// settle makes the Config of a machine that joins, as far as it goes without the cluster.
func (o JoinOverrides) settle(c *Config, m Machine) []Complaint {
	c.Paths = PathsUnder(cmp.Or(o.Root, "/"))
	c.Join.setDefaults(o, m, c.Paths)
	j := c.Join
	c.Node = Node{Registration: j.NodeRegistration, SkipPhases: j.SkipPhases, Patches: j.Patches, Timeouts: j.Timeouts, DryRun: j.DryRun}
	return slices.Concat(
		j.Discovery.validate(),
		j.NodeRegistration.validate(m),
		checkPhases(j.SkipPhases),
		absolute("caCertPath", j.CACertPath),
		c.deriveTimeouts(*j.Timeouts),
		c.deriveMaster(o),
	)
}

// deriveMaster reads what only a further master says. A worker advertises nothing.
func (c *Config) deriveMaster(o JoinOverrides) []Complaint {
	var complaints []Complaint
	if master := c.Join.ControlPlane; master != nil {
		c.Advertise, complaints = master.LocalAPIEndpoint.parse("controlPlane.localAPIEndpoint", o.Loopback.IsValid())
		complaints = append(complaints, checkCertificateKey("controlPlane.certificateKey", master.CertificateKey)...)
	}
	c.Loopback = o.Loopback
	if !c.Loopback.IsValid() {
		c.Loopback = loopback(c.Advertise.Addr())
	}
	return complaints
}

func (j *JoinConfiguration) setDefaults(o JoinOverrides, m Machine, paths Paths) {
	j.CACertPath = cmp.Or(j.CACertPath, filepath.Join(paths.PKI, "ca.crt"))
	if j.ControlPlane != nil {
		// The document stays the caller's.
		master := *j.ControlPlane
		master.LocalAPIEndpoint.setDefaults(o.Loopback, m)
		j.ControlPlane = &master
	}
	j.NodeRegistration.setDefaults(m, j.ControlPlane != nil)
	j.Timeouts = j.Timeouts.withDefaults()
	j.Discovery.setDefaults()
}

func (d *Discovery) setDefaults() {
	if d.BootstrapToken != nil {
		d.TLSBootstrapToken = cmp.Or(d.TLSBootstrapToken, d.BootstrapToken.Token)
	}
	if d.File != nil {
		d.File = &FileDiscovery{KubeConfigPath: strings.TrimPrefix(d.File.KubeConfigPath, "file://")}
	}
}

func (d Discovery) validate() []Complaint {
	var complaints []Complaint
	switch {
	case d.BootstrapToken == nil && d.File == nil:
		return []Complaint{wrong("discovery", "nothing says where the cluster is: neither bootstrapToken nor file is there").
			hint("tripod join HOST:PORT --token TOKEN --discovery-token-ca-cert-hash HASH, as tripod token create --print-join-command shows it")}
	case d.BootstrapToken != nil && d.File != nil:
		complaints = append(complaints, wrong("discovery", "bootstrapToken and file exclude each other").hint("keep one of them"))
	}
	if d.BootstrapToken != nil {
		complaints = append(complaints, d.BootstrapToken.validate("discovery.bootstrapToken")...)
	}
	if d.File != nil {
		complaints = append(complaints, checkKubeconfigPath(d.File.KubeConfigPath)...)
	}
	// That of bootstrapToken was checked there.
	own := d.BootstrapToken == nil || d.TLSBootstrapToken != d.BootstrapToken.Token
	if own && d.TLSBootstrapToken != "" {
		complaints = append(complaints, checkToken("discovery.tlsBootstrapToken", d.TLSBootstrapToken)...)
	}
	return complaints
}

func (b BootstrapTokenDiscovery) validate(field string) []Complaint {
	complaints := slices.Concat(
		checkServer(field+".apiServerEndpoint", b.APIServerEndpoint),
		checkHashes(field+".caCertHashes", b.CACertHashes),
	)
	if len(b.CACertHashes) == 0 && !b.UnsafeSkipCAVerification {
		complaints = append(complaints, wrong(field+".caCertHashes", "no CA is pinned: whoever knows the token could pass for the cluster").
			hint("give --discovery-token-ca-cert-hash sha256:..., or accept the risk with --discovery-token-unsafe-skip-ca-verification"))
	}
	if b.Token == "" {
		return append(complaints, wrong(field+".token", "must not be empty").hint("tripod token create makes one"))
	}
	return append(complaints, checkToken(field+".token", b.Token)...)
}

// checkServer takes host:port.
func checkServer(field, endpoint string) []Complaint {
	if endpoint == "" {
		return []Complaint{wrong(field, "must not be empty").hint("write it as 10.0.0.1:6443")}
	}
	host, port, ok := hostPort(endpoint)
	if ok && port != "" {
		return nil
	}
	c := wrong(field, "%q is not of the form host:port", endpoint)
	if _, rest, scheme := strings.Cut(endpoint, "://"); scheme {
		return []Complaint{c.hint("write %s", rest)}
	}
	if ok {
		return []Complaint{c.hint("write %s", net.JoinHostPort(host, "6443"))}
	}
	return []Complaint{c}
}

// checkHashes takes what openssl, or kubeadm, prints of a CA's public key.
func checkHashes(field string, hashes []string) []Complaint {
	var complaints []Complaint
	pattern := regexp.MustCompile(`^(?i)sha256:[0-9a-f]{64}$`)
	for i, hash := range hashes {
		if !pattern.MatchString(hash) {
			complaints = append(complaints, wrong(at(field, i), "%q is not of the form sha256: and 64 hex digits", hash))
		}
	}
	return complaints
}

// checkKubeconfigPath takes a path or an https URL, which may hold credentials and so is not repeated.
func checkKubeconfigPath(path string) []Complaint {
	const field = "discovery.file.kubeConfigPath"
	u, err := url.Parse(path)
	switch {
	case path == "":
		return []Complaint{wrong(field, "must not be empty")}
	case err != nil:
		return []Complaint{wrong(field, "is neither a path nor an https URL")}
	case u.Scheme == "" && u.Host == "" || u.Scheme == "https" && u.Host != "":
		return nil
	}
	return []Complaint{wrong(field, "is a URL, but not of https").hint("a kubeconfig holds what the cluster is trusted by: fetch it by https, or as a file")}
}
