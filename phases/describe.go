package phases

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// describe is the difference between two files for people's eyes: keys, certificates and kubeconfigs
// as what they are and a digest, everything else line by line.
func describe(old, f host.File) string {
	if f.Link != "" {
		return fmt.Sprintf("+%s -> %s\n", f.Path, f.Link)
	}
	if !sealed(f.Data) && !sealed(old.Data) {
		return password.ReplaceAllString(manifests.Diff(f.Path, old.Data, f.Data), "://***@")
	}
	diff := ""
	if old.Data != nil {
		diff = fmt.Sprintf("-%s: %s\n", f.Path, summary(f.Path, old.Data))
	}
	return diff + fmt.Sprintf("+%s: %s\n", f.Path, summary(f.Path, f.Data))
}

// password is what a URL (that of a proxy, say) can carry before its host.
var password = regexp.MustCompile(`://[^/@\s]+@`)

// sealed says that content is told by its summary only: PEM and what embeds it.
func sealed(data []byte) bool {
	return bytes.Contains(data, []byte("-----BEGIN")) || bytes.Contains(data, []byte("client-key-data"))
}

// summary is what a file of keys and certificates is, with the digest of its public key.
func summary(path string, data []byte) string {
	if filepath.Ext(path) == ".conf" {
		k, err := readKubeconfig(data)
		if err != nil || k.client.Cert == nil {
			return "kubeconfig"
		}
		return fmt.Sprintf("kubeconfig for %s as %s", k.server, k.client.Summary())
	}
	if p, err := certs.ParseFile(data); err == nil {
		return "client certificate and key, " + p.Summary()
	}
	if p, err := certs.Parse(data, nil); err == nil {
		return fmt.Sprintf("certificate %s, until %s", p.Summary(), p.Cert.NotAfter.UTC().Format("2006-01-02"))
	}
	if k, err := certs.ParseKey(data, nil); err == nil {
		return "private " + k.Summary()
	}
	return "public key"
}
