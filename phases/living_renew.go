package phases

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
)

// renewable are the names by which certificates are renewed: those of kubeadm (cmd/kubeadm/app/cmd/certs.go), and ours.
func renewable() map[string]string {
	return map[string]string{
		"admin.conf": adminConf, "super-admin.conf": superAdminConf, "controller-manager.conf": controllerManagerConf, "scheduler.conf": schedulerConf,
		"apiserver": "apiserver", "apiserver-kubelet-client": "apiserver-kubelet-client", "apiserver-etcd-client": "apiserver-etcd-client",
		"front-proxy-client": "front-proxy-client", "etcd-server": "etcd/server", "etcd-peer": "etcd/peer", "etcd-healthcheck-client": "etcd/healthcheck-client",
		"controller-manager": "kube-controller-manager", "scheduler": "kube-scheduler",
	}
}

// Renewable are the names by which one certificate is renewed.
func Renewable() []string {
	var names []string
	for name := range renewable() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Renewing says what a name renews; "all" is all of them.
func Renewing(name string) func(pair string) bool {
	all := renewable()
	return func(pair string) bool {
		if name != "all" {
			return all[name] == pair
		}
		for _, each := range all {
			if each == pair {
				return true
			}
		}
		return false
	}
}

// renewing is what is on disk, without what is to be drawn anew. What a killed run of the same kind has renewed already
// stays. An authority without its key here issues nothing, and what was not there is not renewed.
func (m Master) renewing(disk DiskPKI, renew func(string) bool) DiskPKI {
	old := m.settledFiles()
	for _, r := range m.asked(renew) {
		path := issuedAt(m.Config, r.Name)
		was, kept := old[path] // administrators' kubeconfigs are of no component: who goes on renews them once more
		renewed := m.goesOn() && kept && was != string(m.Files[path].Data)
		if disk.keyless(r) || renewed {
			continue
		}
		delete(disk.Pairs, r.Name)
		delete(disk.Kubeconfigs, r.Name)
	}
	return disk
}

// asked are the leafs that are there and that somebody wants renewed.
func (m Master) asked(renew func(string) bool) []certs.Request {
	return slices.DeleteFunc(pkiRequests(m.Config), func(r certs.Request) bool {
		_, there := m.Files[issuedAt(m.Config, r.Name)]
		return !there || r.Issuer == "" || !renew(r.Name)
	})
}

// keyless says that nobody here can issue the leaf: its authority's key is kept elsewhere, and it has not signed itself.
func (d DiskPKI) keyless(r certs.Request) bool {
	own, err := certs.Parse(d.Pairs[r.Name][0], nil)
	signsItself := err == nil && bytes.Equal(own.Cert.RawIssuer, own.Cert.RawSubject)
	return d.Pairs[r.Issuer][1] == nil && !signsItself
}

// elsewhere are warnings of what was to be renewed and is managed by who has the authority's key.
func (m Master) elsewhere(disk DiskPKI, renew func(string) bool) []finding {
	by := map[string][]string{}
	for _, r := range m.asked(renew) {
		if disk.keyless(r) {
			by[r.Issuer] = append(by[r.Issuer], listedName(r.Name))
		}
	}
	var found []finding
	for _, authority := range slices.Sorted(maps.Keys(by)) {
		cert, key := pairPaths(m.Config, authority)
		slices.Sort(by[authority])
		found = append(found, finding{id: "ExternalCA", harmless: true,
			problem: fmt.Sprintf("managed externally, and not renewed here: %s: %s is not here, the key of %s which issues them", strings.Join(by[authority], ", "), key, cert),
			hint:    "tripod certs generate-csr writes requests to have them signed where that key is kept; put the certificates in place, then run this again, which restarts what uses them"})
	}
	return found
}

// settledFiles are the contents that the files of the settled generation had, by path.
func (m Master) settledFiles() map[string]string {
	g, _ := m.settled()
	files := map[string]string{}
	for _, r := range g.Components {
		for _, f := range r.Files {
			files[f.Path] = string(f.Data)
		}
	}
	return files
}

// issuedAt is the file that the certificate of that name is in.
func issuedAt(c config.Config, name string) string {
	if filepath.Ext(name) == ".conf" {
		return filepath.Join(c.Paths.Kubernetes, name)
	}
	cert, _ := pairPaths(c, name)
	return cert
}

// lacking are the names of what this master has not, and need not have: other masters' or other makers'.
func (m Master) lacking() []string {
	var names []string
	for _, name := range []string{superAdminConf, adminConf, "kube-controller-manager", "kube-scheduler", kubeletServing} {
		_, there := m.Files[issuedAt(m.Config, name)]
		if !there && (m.Living.Kept || filepath.Ext(name) == ".conf" || name == kubeletServing) {
			names = append(names, name)
		}
	}
	return names
}

// kubeletIdentityAnew wants the kubelet to have a certificate that is valid: one that has expired keeps it from starting, and
// nobody but who holds the CA's key can give it another.
func kubeletIdentityAnew(m Master) ([]Change, error) {
	old, err := certs.ParseFile(m.Files[kubeletClientPath(m.Config)].Data)
	if m.Rootless || err != nil || m.Now.Before(old.Cert.NotAfter) || m.PKI.Pairs[kubeletConf].Key == nil {
		return nil, nil
	}
	changes := write(m, rotated(m, m.PKI.KubeletClient)...)
	return append(changes, Change{Verb: "restart", What: "the kubelet", do: func(ctx context.Context, s Site) error { return s.Kubelet.Restart(ctx) }}), nil
}
