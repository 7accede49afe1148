package phases

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/host"
)

// firstAsk is the time for what is read of the cluster's API when a plan is first made. It decides nothing: what has not
// answered by then is unknown, and is asked for again when its phase has come.
const firstAsk = time.Second

// Objects are those of the cluster's API as far as they were asked for. The zero value knows of none.
type Objects struct {
	seen map[string]Known[*unstructured.Unstructured]
	// rest is what is known of every other object.
	rest Known[*unstructured.Unstructured]
}

// Get is what is known of the object of that kind, namespace and name.
func (o Objects) Get(like *unstructured.Unstructured) Known[*unstructured.Unstructured] {
	if k, asked := o.seen[objectKey(like)]; asked {
		return k
	}
	return o.rest
}

// With is o and what is known of further objects, by objectKey.
func (o Objects) With(seen map[string]Known[*unstructured.Unstructured]) Objects {
	all := maps.Clone(o.seen)
	if all == nil {
		all = map[string]Known[*unstructured.Unstructured]{}
	}
	maps.Copy(all, seen)
	return Objects{seen: all, rest: o.rest}
}

// client is one of this master's own apiserver, as the administrator whom no RBAC rule is needed for. Who has put
// super-admin.conf away, with the CA's key, is left with admin.conf.
func (m Master) client() (*cluster.Client, error) {
	kubeconfig := m.PKI.Kubeconfigs[superAdminConf]
	if len(kubeconfig) == 0 {
		kubeconfig = m.PKI.Kubeconfigs[adminConf]
	}
	return cluster.FromKubeconfig(kubeconfig, serverURL(controllerManagerConf, m.Config))
}

// asked is f with what the cluster's API has of what may be wanted, where an apiserver runs. Where etcd has never run there
// is nothing in it.
func (f Facts) asked(ctx context.Context, m Master) Facts {
	m.Facts = f
	if m.Membership == (Membership{}) && !m.hasData() && !m.isUp() && m.mayBeUp() == nil {
		f.Tokens, f.Objects = There[[]bootstrap.Record](nil), Objects{rest: Absent[*unstructured.Unstructured]()}
		return f
	}
	if f.Running["kube-apiserver"].State != host.Started {
		return f
	}
	client, err := m.client()
	if err != nil {
		return f
	}
	defer client.Close()
	ctx, stop := context.WithTimeout(ctx, firstAsk)
	defer stop()
	m = m.seeing(ctx, client, Init())
	f.Tokens, f.Objects = m.Tokens, m.Objects
	return f
}

// seeing is the master with what the API says of what the phases may want.
func (m Master) seeing(ctx context.Context, client *cluster.Client, list []Phase) Master {
	m.Tokens = readTokens(ctx, client)
	m.Objects = m.Objects.With(readObjects(ctx, client, m.likes(list)))
	return m
}

// likes are the objects to read for a plan of list. What a phase can not say it wants, the plan tells.
func (m Master) likes(list []Phase) []*unstructured.Unstructured {
	var likes []*unstructured.Unstructured
	for _, p := range list {
		if p.Objects == nil {
			continue
		}
		objects, err := p.Objects(m)
		if err == nil {
			likes = append(likes, objects...)
		}
	}
	if m.UploadCerts {
		likes = append(likes, uploadedSecret())
	}
	if !m.Rootless {
		likes = append(likes, cluster.Node(m.Node.Registration.Name))
	}
	return likes
}

// readObjects asks for the objects, all at once.
func readObjects(ctx context.Context, client *cluster.Client, likes []*unstructured.Unstructured) map[string]Known[*unstructured.Unstructured] {
	found := map[string]Known[*unstructured.Unstructured]{}
	var mu sync.Mutex
	var all errgroup.Group
	for _, like := range likes {
		all.Go(func() error {
			seen := readObject(ctx, client, like)
			mu.Lock()
			defer mu.Unlock()
			found[objectKey(like)] = seen
			return nil
		})
	}
	_ = all.Wait()
	return found
}

func readObject(ctx context.Context, client *cluster.Client, like *unstructured.Unstructured) Known[*unstructured.Unstructured] {
	live, err := client.Get(ctx, like)
	switch {
	case err == nil:
		return There(live)
	case isNotThere(err):
		return Absent[*unstructured.Unstructured]()
	}
	return Unknown[*unstructured.Unstructured](err)
}

// isNotThere is the answer of an apiserver that knows. A 404 of something else that answers in its place is none.
func isNotThere(err error) bool {
	return apierrors.IsNotFound(err) && !apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// readTokens are the bootstrap tokens of the cluster. Of one that can not be read as a token the ID is known, so that it is
// not made a second time.
func readTokens(ctx context.Context, client *cluster.Client) Known[[]bootstrap.Record] {
	secrets, err := client.List(ctx, uploadedSecret().GroupVersionKind(), bootstrap.Namespace, "type="+bootstrap.SecretType)
	if err != nil {
		return Unknown[[]bootstrap.Record](err)
	}
	var tokens []bootstrap.Record
	for i := range secrets {
		r, err := bootstrap.ReadRecord(&secrets[i])
		if err != nil {
			r = bootstrap.Record{Token: bootstrap.Token{ID: strings.TrimPrefix(secrets[i].GetName(), bootstrap.SecretPrefix)}}
		}
		tokens = append(tokens, r)
	}
	return There(tokens)
}

// knownTokens are the tokens that the cluster is known to have.
func (m Master) knownTokens() []bootstrap.Record {
	tokens, _ := m.Tokens.Value()
	return tokens
}
