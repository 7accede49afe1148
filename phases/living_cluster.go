package phases

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/manifests"
)

// configured is the configuration of the cluster for this machine. It is read from the cluster. Where no apiserver answers, a
// killed run of the same kind is gone on with by what it knew, and so is what mends an apiserver that does not answer.
func (m *Master) configured(ctx context.Context, here config.Here, w Wish, tell func(string)) (config.Config, error) {
	_, whole := m.Manifests["kube-apiserver.yaml"]
	offline := w.Kept || w.Back != 0 || m.newest().Verdict == UnderWay || m.isMaster() && !whole
	g, known := m.settled()
	var clusterData, kubeletData []byte
	err := m.throughAPI(ctx, !offline || !known, tell, func(ctx context.Context, client *cluster.Client) error {
		live, err := client.Get(ctx, cluster.ConfigMap("kube-system", "kubeadm-config"))
		if err != nil {
			return unread(cluster.ConfigMap("kube-system", "kubeadm-config"), err)
		}
		kubelet, err := client.Get(ctx, cluster.ConfigMap("kube-system", "kubelet-config"))
		if err != nil {
			return unread(cluster.ConfigMap("kube-system", "kubelet-config"), err)
		}
		clusterData, kubeletData = data(live, "ClusterConfiguration"), data(kubelet, "kubelet")
		m.KeptPatches, err = readKeptPatches(ctx, client, here.NodeName)
		return err
	})
	var none *PreflightError
	switch {
	case err == nil:
	case errors.As(err, &none):
		return m.Config, err
	case offline && known && g.Cluster != "":
		clusterData, kubeletData, m.KeptPatches = []byte(g.Cluster), []byte(g.Kubelet), g.Patches
	case w.Kept && m.isMaster():
		if clusterData, err = m.configurationHere(); err != nil {
			return m.Config, err
		}
	default:
		return m.Config, fmt.Errorf("no apiserver tells the cluster's configuration: %w\nhint: bring one master's apiserver back (tripod certs renew all, where certificates have expired; tripod rollback, where a change was killed)", err)
	}
	return m.OfLiving(clusterData, kubeletData, here)
}

// throughAPI asks this master's own apiserver, or another, as an administrator; on a worker as the kubelet. patiently waits
// for one that is about to come.
func (m Master) throughAPI(ctx context.Context, patiently bool, tell func(string), ask func(context.Context, *cluster.Client) error) error {
	ways := m.ways()
	if len(ways) == 0 {
		return &PreflightError{finding{id: "Cluster", problem: "there is neither admin.conf nor kubelet.conf here: this machine is not of a cluster", hint: "tripod init makes one, tripod join joins one"}}
	}
	ctx, stop := context.WithTimeout(ctx, m.APICall)
	defer stop()
	attempt := func(ctx context.Context) error {
		var last error
		for _, way := range ways {
			client, err := cluster.FromKubeconfig(way.kubeconfig, way.server)
			if err == nil {
				err = within(ctx, answerWithin, func(ctx context.Context) error { return ask(ctx, client) })
				client.Close()
			}
			if err == nil {
				return nil
			}
			last = err
		}
		return last
	}
	if !patiently {
		return attempt(ctx)
	}
	return cluster.Insist(ctx, tell, attempt)
}

func within(ctx context.Context, d time.Duration, do func(context.Context) error) error {
	ctx, stop := context.WithTimeout(ctx, d)
	defer stop()
	return do(ctx)
}

// apiWay is who asks whom: a kubeconfig, and another server than it names, or "".
type apiWay struct {
	kubeconfig []byte
	server     string
}

func (m Master) ways() []apiWay {
	if len(m.Living.Kubeconfig) > 0 {
		return []apiWay{{m.Living.Kubeconfig, ""}}
	}
	at := func(name string) []byte { return m.Files[filepath.Join(m.Paths.Kubernetes, name)].Data }
	var ways []apiWay
	for _, name := range []string{superAdminConf, adminConf} {
		if len(at(name)) > 0 {
			ways = append(ways, apiWay{at(name), serverURL(controllerManagerConf, m.Config)})
			break
		}
	}
	if len(at(adminConf)) > 0 {
		return append(ways, apiWay{at(adminConf), ""})
	}
	if len(at(kubeletConf)) > 0 && len(ways) == 0 {
		ways = append(ways, apiWay{at(kubeletConf), ""})
	}
	return ways
}

// ofCluster is what its API has of what may be wanted, and what runs in it.
type ofCluster struct {
	objects Objects
	tokens  Known[[]bootstrap.Record]
	fleet   Fleet
}

// readCluster asks the cluster. Where it can't be asked nothing is known of it.
func (m Master) readCluster(ctx context.Context) ofCluster {
	var c ofCluster
	c.fleet.Unknown = m.throughAPI(ctx, false, func(string) {}, func(ctx context.Context, client *cluster.Client) error {
		nodes, err := client.List(ctx, corev1.SchemeGroupVersion.WithKind("Node"), "", "")
		if err != nil {
			return err
		}
		pods, err := client.ListLabelled(ctx, corev1.SchemeGroupVersion.WithKind("Pod"), "kube-system", "tier=control-plane")
		if err != nil {
			return err
		}
		c.fleet = readFleet(nodes, pods, func(pod corev1.Pod, component string) Known[config.Version] {
			return podVersion(ctx, m.ways()[0].kubeconfig, pod, component)
		})
		c.tokens = readTokens(ctx, client)
		c.objects = Objects{}.With(readObjects(ctx, client, m.knowing(ofCluster{fleet: c.fleet}).likes(Upgrade())))
		return nil
	})
	if c.fleet.Unknown != nil {
		c.objects.rest, c.tokens = Unknown[*unstructured.Unstructured](c.fleet.Unknown), Unknown[[]bootstrap.Record](c.fleet.Unknown)
	}
	return c
}

// knowing is the master with what the cluster has said.
func (m Master) knowing(c ofCluster) Master {
	living := *m.Living
	living.Fleet = c.fleet
	m.Living, m.Objects, m.Tokens = &living, c.objects, c.tokens
	return m
}

// imageVersion is the version in an image's tag.
func imageVersion(image string) (config.Version, bool) {
	_, tag, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	tag, _, _ = strings.Cut(tag, "@")
	v, err := config.ParseVersion(tag)
	return v, err == nil
}

// runs is the version of a component by its manifest here; where a digest alone names its image, as it says it itself.
func (m Master) runs(component string) (config.Version, bool) {
	if v, ok := imageVersion(manifests.Images(m.earlierManifest(component))[component]); ok || m.Living == nil {
		return v, ok
	}
	v, asked := m.Living.Fleet.Components[m.Node.Registration.Name][component]
	return v, asked
}
