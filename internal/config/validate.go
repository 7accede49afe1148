package config

import (
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

// validate checks the defaulted documents, but for what derive has to parse.
func (c *Config) validate(m Machine) []Complaint {
	return slices.Concat(c.Init.validate(m), c.Cluster.validate())
}

// checkManifests refuses a kubelet that looks for static pods elsewhere than a master's are.
func (c *Config) checkManifests() []Complaint {
	path, given := c.Kubelet["staticPodPath"].(string)
	here := c.Paths.Manifests
	if !given || filepath.Clean(path) == filepath.Clean(here) {
		return nil
	}
	return []Complaint{wrong("staticPodPath", "the kubelet looks for static pods in %q, and the manifests of a master are in %s", path, here).
		hint("leave it out, or write %s", here)}
}

func (i InitConfiguration) validate(m Machine) []Complaint {
	return slices.Concat(
		i.NodeRegistration.validate(m),
		checkTokens(i.BootstrapTokens),
		checkCertificateKey("certificateKey", i.CertificateKey),
		checkPhases(i.SkipPhases),
	)
}

func checkPhases(phases []string) []Complaint {
	var complaints []Complaint
	for n, phase := range phases {
		if strings.TrimSpace(phase) == "" {
			complaints = append(complaints, wrong(at("skipPhases", n), "must not be empty"))
		}
	}
	return complaints
}

func (c ClusterConfiguration) validate() []Complaint {
	return slices.Concat(
		c.Etcd.validate(),
		c.APIServer.ControlPlaneComponent.validate("apiServer"),
		c.ControllerManager.validate("controllerManager"),
		c.Scheduler.validate("scheduler"),
		checkSANs("apiServer.certSANs", c.APIServer.CertSANs),
		checkDomain(c.Networking.DNSDomain),
		checkClusterName(c.ClusterName),
		checkRepository("imageRepository", c.ImageRepository),
		c.DNS.ImageMeta.validate("dns"),
		absolute("certificatesDir", c.CertificatesDir),
		oneOf("encryptionAlgorithm", c.EncryptionAlgorithm, "RSA-2048", "RSA-3072", "RSA-4096", "ECDSA-P256", "ECDSA-P384"),
		checkGates(c.FeatureGates),
	)
}

func (e Etcd) validate() []Complaint {
	return slices.Concat(
		e.Local.ImageMeta.validate("etcd.local"),
		absolute("etcd.local.dataDir", e.Local.DataDir),
		checkArgs("etcd.local.extraArgs", e.Local.ExtraArgs),
		checkEnvs("etcd.local.extraEnvs", e.Local.ExtraEnvs),
		checkSANs("etcd.local.serverCertSANs", e.Local.ServerCertSANs),
		checkSANs("etcd.local.peerCertSANs", e.Local.PeerCertSANs),
		e.checkStacked(),
	)
}

func (e Etcd) checkStacked() []Complaint {
	if e.External == nil {
		return nil
	}
	return []Complaint{wrong("etcd.external", "tripod runs an etcd member on every master, not an external etcd").
		hint("remove the field; kubeadm runs clusters with an external etcd")}
}

// checkGates accepts gates whose behaviour is the rule by now.
func checkGates(gates map[string]bool) []Complaint {
	var complaints []Complaint
	for _, name := range gateNames(gates) {
		field := "featureGates." + name
		switch {
		case slices.Contains(settledGates(), name):
		case name == "PublicKeysECDSA" && gates[name]:
			complaints = append(complaints, wrong(field, "is replaced by a field").hint("write encryptionAlgorithm: ECDSA-P256"))
		case name == "RootlessControlPlane" && gates[name]:
			complaints = append(complaints, wrong(field, "is not supported: the components run as root in their containers").
				hint("remove the gate"))
		case name != "PublicKeysECDSA" && name != "RootlessControlPlane":
			complaints = append(complaints, wrong(field, "unknown feature gate").
				hint("gates of Kubernetes itself are set by feature-gates in extraArgs"))
		}
	}
	return complaints
}

// settledGates have graduated: what they switched on is always on.
func settledGates() []string {
	return []string{"ControlPlaneKubeletLocalMode", "NodeLocalCRISocket", "WaitForAllControlPlaneComponents"}
}

func checkDomain(domain string) []Complaint {
	if errs := validation.IsDNS1123Subdomain(domain); len(errs) > 0 {
		return []Complaint{wrong("networking.dnsDomain", "%q is not a DNS domain in lower case", domain)}
	}
	return nil
}

// checkClusterName keeps names out that a kubeconfig or a command line could not hold.
func checkClusterName(name string) []Complaint {
	if !regexp.MustCompile(`^[^\s[:cntrl:]]{1,253}$`).MatchString(name) {
		return []Complaint{wrong("clusterName", "must be 1 to 253 characters without spaces")}
	}
	return nil
}

func (i ImageMeta) validate(field string) []Complaint {
	var complaints []Complaint
	if i.ImageRepository != "" {
		complaints = checkRepository(field+".imageRepository", i.ImageRepository)
	}
	if i.ImageTag != "" && !regexp.MustCompile(`^\w[\w.-]{0,127}$`).MatchString(i.ImageTag) {
		complaints = append(complaints, wrong(field+".imageTag", "%q is not an image tag", i.ImageTag))
	}
	return complaints
}

// checkRepository takes a registry with or without a port, and path components in lower case.
func checkRepository(field, repository string) []Complaint {
	const registry = `(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?`
	const component = `[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*`
	if !regexp.MustCompile(`^` + registry + `(?:/` + component + `)*$`).MatchString(repository) {
		return []Complaint{wrong(field, "%q is not an image repository", repository).hint("write it as registry.k8s.io or my.registry:5000/k8s")}
	}
	return nil
}

// checkSANs takes DNS names, names with a wildcard, and addresses.
func checkSANs(field string, names []string) []Complaint {
	var complaints []Complaint
	for i, name := range names {
		if !isHost(name) && len(validation.IsWildcardDNS1123Subdomain(name)) > 0 {
			complaints = append(complaints, wrong(at(field, i), "%q is not an IP address, a DNS name, or a DNS name that begins with *.", name))
		}
	}
	return complaints
}

// isHost takes an IP address, or a DNS name that does not only look like one (10.0.0.256).
func isHost(s string) bool {
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.Zone() == ""
	}
	lastLabel := s[strings.LastIndexByte(s, '.')+1:]
	return len(validation.IsDNS1123Subdomain(s)) == 0 && strings.Trim(lastLabel, "0123456789") != ""
}

func absolute(field, path string) []Complaint {
	if !filepath.IsAbs(path) {
		return []Complaint{wrong(field, "%q is not an absolute path", path)}
	}
	return nil
}

func oneOf(field, value string, known ...string) []Complaint {
	if slices.Contains(known, value) {
		return nil
	}
	return []Complaint{wrong(field, "%q is not known", value).hint("it is one of %s", list(known))}
}

func positive(field string, d time.Duration) []Complaint {
	if d <= 0 {
		return []Complaint{wrong(field, "%s is not more than 0", d)}
	}
	return nil
}

// list is "a, b, c".
func list(words []string) string { return strings.Join(words, ", ") }
