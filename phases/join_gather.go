package phases

import (
	"cmp"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/discovery"
	"tripod.dev/tripod/internal/host"
)

// Joining are the facts that only a machine that joins has.
type Joining struct {
	// Found is the cluster, with the credentials to join it.
	Found discovery.Found
	// Node is the object of this node's name; nil if there is none.
	Node *unstructured.Unstructured
	// Client is the kubelet's client certificate if that on disk can stay; otherwise Key was drawn to ask for one.
	Client certs.Pair
	Key    certs.Key
	// Serving is drawn if the kubelet has no serving pair.
	Serving certs.Pair

	// masters are the pods of the masters that there are; nil on a worker, and where the caller knows them.
	masters []corev1.Pod
	// versions are those of their apiservers, by node.
	versions map[string]Known[config.Version]
	// astray are etcd members that are not where the others look for them, and why; see membersThere.
	astray map[string]error
	// etcds are client URLs of their etcd members.
	etcds []string
	// api is the cluster's, by those credentials; own by the kubelet's own, once it has them.
	api *cluster.Client
	own func() (*cluster.Client, error)
}

// GatherJoin reads the facts of a machine that joins, and finds the cluster meanwhile. It writes nothing. The Master
// has the Config that the cluster has completed. tell gets the reasons why the cluster is still waited for.
func GatherJoin(ctx context.Context, s Site, c config.Config, tell func(string)) (Master, error) {
	if joinsAsMaster(c) {
		return gatherMaster(ctx, s, c, tell)
	}
	f := Facts{Now: host.Now()}
	entries, err := s.Host.ReadJournal(journalPath(c))
	if err != nil {
		return Master{}, err
	}
	f.Journaled, f.entries = len(entries) > 0, len(entries)
	if err := f.read(s.Host, c); err != nil {
		return Master{}, err
	}
	alone := Master{Config: c, Facts: f}
	alone.Joining = &Joining{}
	all, both := errgroup.WithContext(ctx)
	all.Go(func() (err error) {
		if alone.Survey, err = s.Host.Survey(both, askJoin(c)); err != nil {
			return err
		}
		f.Survey = alone.Survey
		return fitAlone(alone, checks()...)
	})
	all.Go(func() error { f.Alive = s.Runner.Alive(both) == nil; return nil })
	var found reached
	all.Go(func() (err error) { found, err = reach(both, c, eachOnce(tell)); return err })
	if err := all.Wait(); err != nil {
		return Master{}, err
	}
	f.Joining = &found.Joining
	m := Master{Config: found.config, Facts: f}
	return m, m.identify()
}

// askJoin is what the checks of a worker want to know. The kubelet's version is asked for beside the discovery.
func askJoin(c config.Config) host.Ask {
	return host.Ask{
		Dirs: []string{c.Paths.Kubernetes, c.Paths.PKI, c.Paths.Manifests, c.Paths.State, c.Paths.Kubelet}, Ports: []uint16{kubeletPort},
		CRISocket: c.Node.Registration.CRISocket, KubeletFiles: KubeletPaths(c), KubeletVersion: true,
	}
}

// source is what the configuration knows of the cluster.
func source(c config.Config) (s discovery.Source, err error) {
	s.Now = host.Now
	d := c.Join.Discovery
	if d.File != nil {
		s.File = d.File.KubeConfigPath
	}
	if t := d.BootstrapToken; t != nil {
		s.Endpoint, s.CAHashes, s.Unsafe = t.APIServerEndpoint, t.CACertHashes, t.UnsafeSkipCAVerification
		if s.Token, err = bootstrap.ParseToken(t.Token); err != nil {
			return s, &InputError{err}
		}
	}
	if d.TLSBootstrapToken != "" {
		if s.TLSToken, err = bootstrap.ParseToken(d.TLSBootstrapToken); err != nil {
			return s, &InputError{err}
		}
	}
	return s, nil
}

// reached is a cluster that was found, and the Config that it completes.
type reached struct {
	Joining
	config config.Config
	// uploaded is the Secret of the uploaded certificates; nil if there is none, or it is not needed.
	uploaded *unstructured.Unstructured
}

// reach finds the cluster and reads what it keeps for those who join.
func reach(ctx context.Context, c config.Config, tell func(string)) (reached, error) {
	ctx, stop := context.WithTimeout(ctx, cmp.Or(c.DiscoveryTimeout, 5*time.Minute))
	defer stop()
	from, err := source(c)
	if err != nil {
		return reached{}, err
	}
	r := reached{}
	if r.Found, err = discovery.Discover(ctx, from, tell); err != nil {
		return reached{}, err
	}
	if r.api, err = cluster.FromKubeconfig(r.Found.Kubeconfig, ""); err != nil {
		return reached{}, err
	}
	return r, r.read(ctx, c, tell)
}

// read reads the cluster's configuration and this node's object, side by side.
func (r *reached) read(ctx context.Context, c config.Config, tell func(string)) error {
	like := []*unstructured.Unstructured{
		cluster.ConfigMap("kube-system", "kubeadm-config"), cluster.ConfigMap("kube-system", "kubelet-config"), cluster.Node(c.Node.Registration.Name),
	}
	if joinsAsMaster(c) && c.Join.ControlPlane.CertificateKey != "" {
		like = append(like, uploadedSecret())
	}
	live := make([]*unstructured.Unstructured, 4)
	all, ctx := errgroup.WithContext(ctx)
	for i := range like {
		all.Go(func() (err error) { live[i], err = r.get(ctx, like[i], tell); return err })
	}
	if err := all.Wait(); err != nil {
		return err
	}
	r.Node, r.uploaded = live[2], live[3]
	var err error
	r.config, err = c.OfCluster(data(live[0], "ClusterConfiguration"), data(live[1], "kubelet"))
	if u, bad := url.Parse(r.Found.Server); bad == nil {
		r.config.Endpoint = u.Host
	}
	return err
}

// get insists on an object; of nodes and of uploaded certificates, there may be none. Who may read the latter is said by
// a rule that comes and goes with them.
func (r *reached) get(ctx context.Context, like *unstructured.Unstructured, tell func(string)) (live *unstructured.Unstructured, err error) {
	const refusedFor = 2 * time.Second
	asked := time.Now()
	err = cluster.Insist(ctx, tell, func(ctx context.Context) (err error) {
		live, err = r.api.Get(ctx, like)
		optional := like.GetKind() == "Node" || like.GetKind() == "Secret"
		hidden := like.GetKind() == "Secret" && apierrors.IsForbidden(err) && time.Since(asked) > refusedFor
		if optional && apierrors.IsNotFound(err) || hidden {
			live = nil
			return nil
		}
		return unread(like, err)
	})
	return live, err
}

// unread says of what could not be read how to mend it, where waiting does not.
func unread(like *unstructured.Unstructured, err error) error {
	switch {
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("reading %s: %w\nhint: the token is not one to authenticate with, or has expired: tripod token create makes one", objectKey(like), err)
	case err != nil:
		return fmt.Errorf("reading %s: %w", objectKey(like), err)
	}
	return nil
}

func data(configMap *unstructured.Unstructured, key string) []byte {
	text, _, _ := unstructured.NestedString(configMap.Object, "data", key)
	return []byte(text)
}

// identify keeps the kubelet's identity on disk if it fits, and draws what is missing.
func (m *Master) identify() error {
	ca, err := certs.Parse(m.Joining.Found.CA, nil)
	if err != nil {
		return fmt.Errorf("the cluster's CA: %w", err)
	}
	user := certs.Pair{Cert: &x509.Certificate{Subject: pkix.Name{CommonName: nodeUser(m.Config)}}}
	if !joinsAsMaster(m.Config) { // a master has what others share, and its own, by now
		m.PKI = PKI{Pairs: map[string]certs.Pair{clusterCA: ca}, Kubeconfigs: map[string][]byte{}}
	}
	m.PKI.Pairs[kubeletConf] = user
	old := m.Files[kubeletConfPath(m.Config)].Data
	conf, err := keepKubeconfig(kubeletConf, m.Config, m.PKI, old)
	if err != nil { // preflight tells of a file that can not be read
		conf, err = kubeconfig(kubeletConf, m.Config, ca, user)
	}
	if err != nil {
		return err
	}
	m.PKI.Kubeconfigs[kubeletConf] = conf
	m.Joining.own = sync.OnceValues(func() (*cluster.Client, error) { return cluster.FromKubeconfig(conf, "") })
	return m.draw(ca)
}

func (m *Master) draw(ca certs.Pair) (err error) {
	wanted := certs.Spec{CommonName: nodeUser(m.Config), Organization: []string{"system:nodes"},
		Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, Algorithm: certs.ECDSAP256}
	current := m.Files[kubeletClientPath(m.Config)].Data
	if old, err := certs.ParseFile(current); err == nil && old.Fits(wanted, ca, m.Now) == nil {
		m.Joining.Client, m.PKI.KubeletClient = old, current
	} else if m.Joining.Key, err = certs.NewKey(certs.ECDSAP256); err != nil {
		return err
	}
	cert, key := pairPaths(m.Config, kubeletServing)
	if _, err := certs.Parse(m.Files[cert].Data, m.Files[key].Data); err == nil && m.has(key) {
		return nil // half a pair, or two halves, would keep the kubelet from starting
	}
	name := m.Node.Registration.Name
	m.Joining.Serving, err = certs.Issue(certs.Spec{CommonName: name, DNSNames: []string{name}, Validity: 365 * 24 * time.Hour,
		Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, Algorithm: certs.ECDSAP256}, nil, m.Now)
	return err
}
