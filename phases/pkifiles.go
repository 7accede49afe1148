package phases

import (
	"path/filepath"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
)

// pairPaths are where the pair of that name lies.
func pairPaths(c config.Config, name string) (cert, key string) {
	base := filepath.Join(c.Paths.PKI, name)
	if name == kubeletServing {
		base = filepath.Join(c.Paths.Kubelet, "pki", name)
	}
	return base + ".crt", base + ".key"
}

// pairLabel is the file by which errors call a pair.
func pairLabel(c config.Config, name string) string {
	if filepath.Ext(name) == ".conf" {
		return filepath.Join(c.Paths.Kubernetes, name)
	}
	cert, _ := pairPaths(c, name)
	return cert
}

// pair wants the pair of that name on disk. The key goes first: a commit that is killed between the
// two leaves its certificate staged, where Host.ReadPair finds it. An external CA has no key.
func pair(name string) func(Master) ([]Change, error) {
	return func(m Master) ([]Change, error) {
		p := m.PKI.Pairs[name]
		cert, key := pairPaths(m.Config, name)
		files := []host.File{{Path: cert, Mode: 0o644, Data: p.CertPEM()}}
		keyPEM, err := p.KeyPEM()
		if err != nil {
			return nil, err
		}
		if keyPEM != nil {
			files = []host.File{{Path: key, Mode: 0o600, Data: keyPEM}, files[0]}
		}
		return needing(write(m, files...), m.issuer(name)...), nil
	}
}

// issuer is the path of the authority's certificate that the pair of that name was issued by; none if it is one.
func (m Master) issuer(name string) []string {
	for _, r := range pkiRequests(m.Config) {
		if r.Name == name && r.Issuer != "" {
			cert, _ := pairPaths(m.Config, r.Issuer)
			return []string{cert}
		}
	}
	return nil
}

// needing adds what changes need.
func needing(changes []Change, paths ...string) []Change {
	for i := range changes {
		changes[i].Needs = append(changes[i].Needs, paths...)
	}
	return changes
}

// serviceAccountKey wants the key pair that signs service account tokens; both 0600, as kubeadm has them.
func serviceAccountKey(m Master) ([]Change, error) {
	return write(m,
		host.File{Path: filepath.Join(m.Paths.PKI, "sa.key"), Mode: 0o600, Data: m.PKI.SA.PrivatePEM()},
		host.File{Path: filepath.Join(m.Paths.PKI, "sa.pub"), Mode: 0o600, Data: m.PKI.SA.PublicPEM()}), nil
}

// kubeconfigFile wants the kubeconfig of that name.
func kubeconfigFile(name string) func(Master) ([]Change, error) {
	return func(m Master) ([]Change, error) {
		conf := host.File{Path: filepath.Join(m.Paths.Kubernetes, name), Mode: 0o600, Data: m.PKI.Kubeconfigs[name]}
		return needing(write(m, conf), m.issuer(name)...), nil
	}
}

// diskPKI is what the facts hold of keys and certificates. Pairs come by way of Host.ReadPair.
func diskPKI(h *host.Host, c config.Config, files map[string]host.File) (DiskPKI, error) {
	d := DiskPKI{Pairs: map[string][2][]byte{}, Kubeconfigs: map[string][]byte{}}
	for _, r := range pkiRequests(c) {
		if filepath.Ext(r.Name) == ".conf" {
			d.Kubeconfigs[r.Name] = files[filepath.Join(c.Paths.Kubernetes, r.Name)].Data
			continue
		}
		certPath, keyPath := pairPaths(c, r.Name)
		cert, key, err := h.ReadPair(certPath, keyPath)
		if err != nil {
			return d, err
		}
		d.Pairs[r.Name] = [2][]byte{cert, key}
	}
	d.SAKey = files[filepath.Join(c.Paths.PKI, "sa.key")].Data
	d.SAPub = files[filepath.Join(c.Paths.PKI, "sa.pub")].Data
	d.KubeletClient = files[kubeletClientPath(c)].Data
	return d, nil
}
