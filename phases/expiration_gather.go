package phases

import (
	"path/filepath"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// ReadExpirations reads the certificates that the configuration says this master has, and no keys. What can not be read
// or parsed is told in its own Expiration, and keeps nothing else from being read.
func ReadExpirations(h *host.Host, c config.Config) []Expiration {
	stored := map[string]storedCertificate{}
	for _, r := range pkiRequests(c) {
		s := readCertificate(h, pairLabel(c, r.Name))
		if r.Name == kubeletConf {
			s = kubeletCertificate(h, c, s)
		}
		if r.Issuer == "" {
			_, key := pairPaths(c, r.Name)
			s.keyless = !h.Exists(key)
		}
		stored[r.Name] = s
	}
	return expirations(c, stored)
}

func readCertificate(h *host.Host, path string) storedCertificate {
	f, exists, err := h.Read(path)
	if exists && f.Data == nil {
		f.Data = []byte{} // there, and empty
	}
	return storedCertificate{path: path, data: f.Data, err: err}
}

// kubeletCertificate is that of the file which the kubelet rotates, if there is one: kubelet.conf only names it.
func kubeletCertificate(h *host.Host, c config.Config, conf storedCertificate) storedCertificate {
	rotating := readCertificate(h, kubeletClientPath(c))
	if rotating.data == nil && rotating.err == nil {
		return conf
	}
	return rotating
}

// CertDirHere is the directory of certificates of the master that runs here, by the apiserver's manifest; empty where
// there is none that can be read.
func CertDirHere(h *host.Host, c config.Config) string {
	f, _, err := h.Read(filepath.Join(c.Paths.Manifests, "kube-apiserver.yaml"))
	if err != nil {
		return ""
	}
	return manifests.HostPath(f.Data, "k8s-certs")
}
