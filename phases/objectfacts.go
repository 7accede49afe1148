package phases

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/host"
)

// askWithin is the time for all that is read of the cluster's API before a plan is made.
const askWithin = time.Second

// client is one of this master's own apiserver, as the administrator whom no RBAC rule is needed for. Who has put
// super-admin.conf away, with the CA's key, is left with admin.conf.
func (m Master) client() (*cluster.Client, error) {
	kubeconfig := m.PKI.Kubeconfigs[superAdminConf]
	if len(kubeconfig) == 0 {
		kubeconfig = m.PKI.Kubeconfigs[adminConf]
	}
	return cluster.FromKubeconfig(kubeconfig, serverURL(controllerManagerConf, m.Config))
}

// asked is f with what the cluster's API has of what may be wanted, where an apiserver runs. What can not be
// asked within askWithin is not there.
func (f Facts) asked(ctx context.Context, m Master) Facts {
	f.Objects = map[string]*unstructured.Unstructured{}
	if f.Running["kube-apiserver"].State != host.Started {
		return f
	}
	ctx, stop := context.WithTimeout(ctx, askWithin)
	defer stop()
	client, err := m.client()
	if err != nil {
		return f
	}
	f.Tokens = readTokens(ctx, client)
	m.Facts = f
	f.Objects = readObjects(ctx, client, m.likes(Init()))
	return f
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

// readObjects reads what is there of the objects, all at once.
func readObjects(ctx context.Context, client *cluster.Client, likes []*unstructured.Unstructured) map[string]*unstructured.Unstructured {
	found := map[string]*unstructured.Unstructured{}
	var mu sync.Mutex
	var all errgroup.Group
	for _, like := range likes {
		all.Go(func() error {
			if live, err := client.Get(ctx, like); err == nil {
				mu.Lock()
				defer mu.Unlock()
				found[objectKey(like)] = live
			}
			return nil
		})
	}
	_ = all.Wait()
	return found
}

// readTokens are the bootstrap tokens of the cluster. What can not be read as one is none.
func readTokens(ctx context.Context, client *cluster.Client) []bootstrap.Record {
	secrets, err := client.List(ctx, uploadedSecret().GroupVersionKind(), bootstrap.Namespace, "type="+bootstrap.SecretType)
	if err != nil {
		return nil
	}
	var tokens []bootstrap.Record
	for i := range secrets {
		if r, err := bootstrap.ReadRecord(&secrets[i]); err == nil {
			tokens = append(tokens, r)
		}
	}
	return tokens
}
