package phases

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// contextLines is how many unchanged lines surround a change in what is shown, unless somebody asks for another number.
const contextLines = 3

func (m Master) contextLines() int { return cmp.Or(m.Upgrade.ContextLines, contextLines) }

// describe is the difference between two files for people's eyes: keys, certificates and kubeconfigs
// as what they are and a digest, everything else line by line.
func describe(old, f host.File, context int) string {
	if f.Link != "" {
		return fmt.Sprintf("+%s -> %s\n", f.Path, f.Link)
	}
	if !sealed(f.Path, f.Data) && !sealed(f.Path, old.Data) {
		return redacted(manifests.Diff(f.Path, old.Data, f.Data, context))
	}
	diff := ""
	if old.Data != nil {
		diff = fmt.Sprintf("-%s: %s\n", f.Path, summary(f.Path, old.Data))
	}
	return diff + fmt.Sprintf("+%s: %s\n", f.Path, summary(f.Path, f.Data))
}

// password is what an address, that of a proxy say, can carry before its host. A proxy variable needs no scheme.
var password = regexp.MustCompile(`(://)[^\s/]*@|(value: ["']?)[^\s/:]+:[^\s/]*@`)

// redacted is text without the passwords in addresses.
func redacted(text string) string { return password.ReplaceAllString(text, "$1$2***@") }

// sealed says that a file is told by its summary only: by its name, or as it holds PEM.
func sealed(path string, data []byte) bool {
	return slices.Contains([]string{".conf", ".crt", ".key", ".pem", ".pub"}, filepath.Ext(path)) || bytes.Contains(data, []byte("-----BEGIN"))
}

// summary is what a file of keys and certificates is, with the digest of its public key.
func summary(path string, data []byte) string {
	if filepath.Ext(path) == ".conf" {
		return kubeconfigSummary(data)
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
	if bytes.Contains(data, []byte("-----BEGIN PUBLIC KEY")) {
		return "public key"
	}
	return "neither a certificate nor a key"
}

func kubeconfigSummary(data []byte) string {
	k, err := readKubeconfig(data)
	switch {
	case err != nil:
		return "a kubeconfig that can't be read"
	case k.client.Cert != nil:
		return fmt.Sprintf("kubeconfig for %s as %s", redacted(k.server), k.client.Summary())
	case k.clientFile != "":
		return fmt.Sprintf("kubeconfig for %s as the certificate in %s", redacted(k.server), k.clientFile)
	}
	return "kubeconfig for " + redacted(k.server)
}
