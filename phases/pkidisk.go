package phases

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
)

// DiskPKI is what lies on disk of a master's keys and certificates. What is nil is not there.
type DiskPKI struct {
	// Pairs are certificate and key in PEM by the name of the request; .conf names are not in it.
	Pairs map[string][2][]byte
	// Kubeconfigs are whole files by name (admin.conf, ...).
	Kubeconfigs map[string][]byte
	// SAKey and SAPub sign and verify service account tokens.
	SAKey, SAPub []byte
	// KubeletClient is the file that the kubelet keeps its client certificate and key in.
	KubeletClient []byte
	// Without are the names of what is not to be drawn where it is not there.
	Without []string
}

// PKI is all that a master needs: kept from disk, byte for byte, where it still fits, drawn where not.
type PKI struct {
	// Pairs are by the name of the request. Those of kubeconfigs are among them.
	Pairs map[string]certs.Pair
	// SA signs service account tokens.
	SA certs.Key
	// Kubeconfigs are whole files by name (admin.conf, ...).
	Kubeconfigs map[string][]byte
	// KubeletClient is the file of the kubelet's client certificate and key.
	KubeletClient []byte
}

// fillPKI completes what is on disk. It draws keys, so it is called once, when the facts are
// gathered. The error holds everything that is wrong, by the names of pairs and files.
func fillPKI(c config.Config, disk DiskPKI, now time.Time) (PKI, error) {
	sa := sync.OnceValues(func() (certs.Key, error) { return serviceAccount(c, disk) })
	// An RSA key takes longer to find than all the rest together.
	go func() { _, _ = sa() }()

	r := disk.read(c)
	pairs, err := certs.Fill(r.requests, r.pairs, now)
	key, saErr := sa()
	if err := multierror.Append(r.errs, err, saErr).ErrorOrNil(); err != nil {
		return PKI{}, err
	}
	if own, exists := disk.kubelets(); exists {
		pairs[kubeletServing] = own
	}
	return finishPKI(c, disk, PKI{Pairs: pairs, SA: key})
}

// roots are what a prober trusts to be the named component: its authority's bundle and, as it
// may be self-signed where that authority has no key here, the very certificate.
func (p PKI) roots(name, issuer string) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, cert := range slices.Concat(p.Pairs[issuer].Chain, p.Pairs[name].Chain) {
		pool.AddCert(cert)
	}
	return pool
}

func finishPKI(c config.Config, disk DiskPKI, p PKI) (PKI, error) {
	p.Kubeconfigs = map[string][]byte{}
	for _, name := range []string{adminConf, superAdminConf, controllerManagerConf, schedulerConf, kubeletConf} {
		if p.Pairs[name].Cert == nil {
			continue
		}
		data, err := keepKubeconfig(name, c, p, disk.Kubeconfigs[name])
		if err != nil {
			return PKI{}, fmt.Errorf("%s: %w", name, err)
		}
		p.Kubeconfigs[name] = data
	}
	var err error
	p.KubeletClient, err = kubeletClient(p.Pairs[kubeletConf], disk)
	return p, err
}

// kubeletClient is certificate before key, as the kubelet writes them itself when it rotates them.
func kubeletClient(p certs.Pair, disk DiskPKI) ([]byte, error) {
	if old, err := certs.ParseFile(disk.KubeletClient); err == nil && old.Cert.Equal(p.Cert) {
		return disk.KubeletClient, nil
	}
	key, err := p.KeyPEM()
	return slices.Concat(p.CertPEM(), key), err
}

// serviceAccount keeps sa.key, or draws it: RSA even where the other keys are not, since many
// who verify tokens know only RS256.
func serviceAccount(c config.Config, disk DiskPKI) (certs.Key, error) {
	if disk.SAKey == nil && disk.SAPub != nil {
		return certs.Key{}, errors.New("sa.pub is there without sa.key\nhint: put sa.key in place, or remove sa.pub; " +
			"tokens that are signed elsewhere are not supported")
	}
	if disk.SAKey == nil {
		return certs.NewKey(saAlgorithm(c))
	}
	key, err := certs.ParseKey(disk.SAKey, disk.SAPub)
	if err != nil {
		return certs.Key{}, fmt.Errorf("sa: %w\nhint: put the sa.key and sa.pub that belong together in place", err)
	}
	return key, nil
}

func saAlgorithm(c config.Config) certs.Algorithm {
	if wanted := c.Cluster.EncryptionAlgorithm; strings.HasPrefix(wanted, "RSA-") {
		return certs.Algorithm(wanted)
	}
	return certs.RSA2048
}

// readable is DiskPKI as far as it can be read. What can not be, and what it should have issued,
// is not requested: its error is enough.
type readable struct {
	requests []certs.Request
	pairs    map[string]certs.Pair
	errs     *multierror.Error
}

func (d DiskPKI) read(c config.Config) readable {
	r := readable{pairs: map[string]certs.Pair{}}
	failed := map[string]bool{}
	_, hasOwn := d.kubelets()
	for _, request := range pkiRequests(c) {
		if slices.Contains(d.Without, request.Name) {
			continue
		}
		if failed[request.Issuer] || request.Name == kubeletServing && hasOwn || request.Name == kubeletConf && joinsAsMaster(c) && d.Pairs[clusterCA][1] == nil {
			continue // of another that failed; the kubelet's own; what the cluster is asked for
		}
		pair, err := d.readPair(request, r.pairs[clusterCA])
		if err != nil {
			failed[request.Name] = true
			r.errs = multierror.Append(r.errs, fmt.Errorf("%s: %w", request.Label, err))
			continue
		}
		r.requests = append(r.requests, request)
		if pair.Cert != nil {
			r.pairs[request.Name] = pair
		}
	}
	return r.selfSigned()
}

// kubelets is the kubelet's serving certificate as it is, if it is there: then it is the kubelet's own affair,
// whoever signed it.
func (d DiskPKI) kubelets() (certs.Pair, bool) {
	files := d.Pairs[kubeletServing]
	if files[0] == nil || files[1] == nil {
		return certs.Pair{}, false
	}
	p, err := certs.Parse(files[0], files[1])
	return p, err == nil
}

// selfSigned lets those certificates sign themselves that kubeadm does not have, so that nobody
// with an external CA was asked for them; the prober trusts each by itself. Where the CA's key is
// here again, they are not kept.
func (r readable) selfSigned() readable {
	ca, exists := r.pairs[clusterCA]
	for i, request := range r.requests {
		if !notKubeadms(request.Name) {
			continue
		}
		old := r.pairs[request.Name]
		switch {
		case exists && ca.Key == nil:
			r.requests[i].Issuer = ""
		case old.Cert != nil && bytes.Equal(old.Cert.RawIssuer, old.Cert.RawSubject):
			delete(r.pairs, request.Name)
		}
	}
	return r
}

// readPair is the pair as far as it is on disk; the zero Pair if it is not.
func (d DiskPKI) readPair(r certs.Request, ca certs.Pair) (certs.Pair, error) {
	if strings.HasSuffix(r.Name, ".conf") {
		return d.readClient(r.Name, ca)
	}
	certPEM, keyPEM := d.Pairs[r.Name][0], d.Pairs[r.Name][1]
	switch {
	case certPEM != nil:
		return certs.Parse(certPEM, keyPEM)
	case keyPEM != nil && r.Spec.CA:
		return certs.Pair{}, errors.New("there is a key without its certificate\nhint: put the certificate back, or remove the key to have both made anew")
	}
	return certs.Pair{}, nil
}

// readClient is the client certificate of a kubeconfig. The kubelet's is in its rotating file, or,
// as long as kubeadm's init has not finished, in the kubeconfig.
func (d DiskPKI) readClient(name string, ca certs.Pair) (certs.Pair, error) {
	var client certs.Pair
	if data := d.Kubeconfigs[name]; data != nil {
		k, err := readKubeconfig(data)
		if err == nil {
			err = k.sameCluster(ca)
		}
		if err != nil {
			return certs.Pair{}, err
		}
		client = k.client
	}
	if name != kubeletConf || len(bytes.TrimSpace(d.KubeletClient)) == 0 {
		return client, nil
	}
	rotating, err := certs.ParseFile(d.KubeletClient)
	if err != nil {
		return certs.Pair{}, fmt.Errorf("the kubelet's client certificate: %w", err)
	}
	return rotating, nil
}
