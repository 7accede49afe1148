package phases

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
)

// etcdRenewedInPlace wants etcd's certificates renewed that have expired, before anything stops. It reads them from their files
// for each connection, and who has valid ones is found by members that are started anew: where all have expired, each master
// gets its own first. That needs neither a quorum nor anybody's turn.
func etcdRenewedInPlace(m Master) ([]Change, error) {
	if !m.etcdExpired() {
		return nil, nil
	}
	var changes []Change
	for _, name := range leafs("etcd") {
		written, err := m.leaf(name)
		if err != nil {
			return nil, err
		}
		changes = append(changes, written...)
	}
	return changes, nil
}

// etcdExpired says whether a certificate of etcd's has expired here that is to be replaced.
func (m Master) etcdExpired() bool {
	return slices.ContainsFunc(leafs("etcd"), func(name string) bool {
		old := m.leafHere(name)
		return old != nil && m.Now.After(old.NotAfter) && m.PKI.Pairs[name].Cert != nil && !m.PKI.Pairs[name].Cert.Equal(old)
	})
}

// unasked is the error of a guard that needs to know etcd's members. Where the others present certificates that have expired,
// an etcd that is started waits for them, and answers nobody.
func (w *waiter) unasked(ctx context.Context) error {
	m := w.Master
	if err := etcd.Rejoins(ctx, m.othersKnown(), m.trust()["etcd"]); err != nil {
		return &PreflightError{finding{id: "EtcdCertificates", problem: err.Error()}}
	}
	return m.unasked()
}

// unexpired are the files without certificates that have expired, and their keys: what has come in their place stays when the
// rest goes back.
func unexpired(files []host.File, now time.Time) []host.File {
	var gone []string
	for _, f := range files {
		if ends := endOf(f); !ends.IsZero() && now.After(ends) {
			gone = append(gone, f.Path, strings.TrimSuffix(f.Path, ".crt")+".key")
		}
	}
	return slices.DeleteFunc(slices.Clone(files), func(f host.File) bool { return slices.Contains(gone, f.Path) })
}

// endOf is when the certificate in the file ends, or in the kubeconfig that it is; zero if there is none.
func endOf(f host.File) time.Time {
	switch filepath.Ext(f.Path) {
	case ".crt":
		if p, err := certs.Parse(f.Data, nil); err == nil {
			return p.Cert.NotAfter
		}
	case ".conf":
		if k, err := readKubeconfig(f.Data); err == nil && k.client.Cert != nil {
			return k.client.Cert.NotAfter
		}
	}
	return time.Time{}
}
