package phases

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/certs"
)

// keptElsewhere takes the key of the cluster's authority away.
func keptElsewhere(p PKI) PKI {
	p.Pairs[clusterCA] = certs.Pair{Cert: p.Pairs[clusterCA].Cert, Chain: p.Pairs[clusterCA].Chain}
	return p
}

// A master that joins where no key of the cluster's authority is has its kubelet ask for a certificate, and keeps all that it
// has been given: by it etcd and the cluster know it.
func TestJoinWithExternalCA(t *testing.T) {
	t.Parallel()
	m := joiningMaster(nil)
	m.PKI = keptElsewhere(drawPKI(t, m.Config))
	m.Joining.Found.CA = m.PKI.Pairs[clusterCA].ChainPEM()
	delete(m.PKI.Pairs, kubeletConf)
	before := pkiNames(pkiRequests(m.Config))
	if err := m.identity(); err != nil {
		t.Fatal(err)
	}
	for _, name := range before {
		if p := m.PKI.Pairs[name]; p.Cert == nil && name != kubeletServing || p.Key == nil && name != clusterCA && name != kubeletConf && name != kubeletServing {
			t.Errorf("%s is lost", name)
		}
	}
	if m.trust()["etcd"].RootCAs.Equal(m.trust()["kube-apiserver"].RootCAs) || len(m.trust()["etcd"].Certificates) != 1 {
		t.Error("etcd is not known by its own authority")
	}
	if m.Joining.Key.PrivatePEM() == nil || len(m.PKI.Kubeconfigs[adminConf]) == 0 || len(m.PKI.Kubeconfigs[kubeletConf]) == 0 {
		t.Error("there is no key to ask by, or a kubeconfig is lost")
	}
	for _, wanted := range []func(Master) ([]Change, error){sharedFiles, ownCertificates, ownKubeconfigs, apiserverManifest, etcdManifest} {
		if _, err := wanted(m); err != nil {
			t.Error(err)
		}
	}
}

// What is managed elsewhere is named where it was to be renewed, and so is the way; what signs itself is renewed.
func TestRenewWithExternalCA(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	m := s.living(t)
	disk, err := diskPKI(s.site.Host, m.Config, m.Files)
	if err != nil {
		t.Fatal(err)
	}
	if found := m.elsewhere(disk, Renewing("all")); len(found) > 0 {
		t.Errorf("with all keys: %v", found)
	}
	itself := drawPKI(t, m.Config).Pairs[frontProxyCA] // it is its own issuer
	disk.Pairs[clusterCA] = [2][]byte{disk.Pairs[clusterCA][0], nil}
	disk.Pairs["kube-scheduler"] = [2][]byte{itself.CertPEM(), nil}
	var told []string
	for _, f := range m.elsewhere(disk, Renewing("all")) {
		problem, _, _ := strings.Cut(f.problem, ": /")
		told = append(told, problem)
	}
	want := []string{"managed externally, and not renewed here: admin.conf, apiserver, apiserver-kubelet-client, controller-manager, controller-manager.conf, " +
		"scheduler.conf, super-admin.conf"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	m.Living.elsewhere = m.elsewhere(disk, Renewing("apiserver"))
	if warnings, _ := mayChange(m); !strings.Contains(strings.Join(warnings, "\n"), "not renewed here: apiserver: ") {
		t.Errorf("told is %q", warnings)
	}
	if got := m.renewing(disk, Renewing("scheduler")); got.Pairs["kube-scheduler"][0] != nil {
		t.Error("what signs itself is not renewed")
	}
}
