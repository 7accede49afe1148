package phases

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
)

// advertised is where a master's mirror pod says that its etcd is reached.
const advertised = "kubeadm.kubernetes.io/etcd.advertise-client-urls"

// gatherMaster reads the facts of a machine that joins as a master: the cluster, what masters share, and etcd's members.
func gatherMaster(ctx context.Context, s Site, c config.Config, tell func(string)) (Master, error) {
	f := Facts{Now: host.Now(), Rootless: s.Kubelet == nil, ProxyEnv: proxyEnv(os.Environ())}
	entries, err := s.Host.ReadJournal(journalPath(c))
	if err != nil {
		return Master{}, err
	}
	f.Journaled, f.entries = len(entries) > 0, len(entries)
	var found reached
	all, both := errgroup.WithContext(ctx)
	all.Go(func() error { return joinsFit(both, s, c, f) })
	all.Go(func() (err error) { found, err = reach(both, c, eachOnce(tell)); return err })
	if err := all.Wait(); err != nil {
		return Master{}, err
	}
	f.Joining = &found.Joining
	m := Master{Config: found.config, Facts: f}
	if found := clocksAgree(m); len(found) > 0 && !found[0].harmless && !ignored(m, found[0].id) {
		return Master{}, &PreflightError{found[0]} // who is told to be from the future is not known to anybody
	}
	if err := m.readLocal(ctx, s, found.uploaded); err != nil {
		return Master{}, err
	}
	return m, m.readMembers(ctx, s)
}

// readLocal reads what is on this machine, and draws what is missing.
func (m *Master) readLocal(ctx context.Context, s Site, uploaded *unstructured.Unstructured) error {
	if err := m.recall(s.Host, m.Config); err != nil {
		return err
	}
	if err := m.read(s.Host, m.Config); err != nil {
		return err
	}
	disk, err := diskPKI(s.Host, m.Config, m.Files)
	if err != nil {
		return err
	}
	if disk, err = disk.withShared(m.Config, uploaded); err != nil {
		return err
	}
	var all errgroup.Group
	all.Go(func() (err error) { m.PKI, err = gatherPKI(m.Config, disk, m.Now); return err })
	all.Go(func() (err error) { m.Survey, err = s.Host.Survey(ctx, ask(m.Config, m.Rootless)); return err })
	all.Go(func() error { return m.askRunner(ctx, s.Runner) })
	if err := all.Wait(); err != nil {
		return err
	}
	if m.Joining.Node != nil {
		m.Objects = m.Objects.With(map[string]Known[*unstructured.Unstructured]{objectKey(m.Joining.Node): There(m.Joining.Node)})
	}
	if err := sameCA(m.Joining.Found.CA, m.PKI.Pairs[clusterCA]); err != nil {
		return err
	}
	if err := m.readInputs(s.Host); err != nil {
		return err
	}
	m.readSources(s.Host)
	return m.identity()
}

// identity is the kubelet's: as the first master's where the CA's key is, as a worker's where it is not.
func (m *Master) identity() error {
	if m.bootstraps() {
		return m.identify()
	}
	if old := m.PKI.Pairs[kubeletConf]; string(m.Files[kubeletClientPath(m.Config)].Data) == string(m.PKI.KubeletClient) {
		m.Joining.Client = old
	}
	return nil
}

// readMembers finds the masters that there are, and asks their etcd members how they are.
func (m *Master) readMembers(ctx context.Context, s Site) error {
	peers := s.Peers
	if peers == nil {
		if err := m.readMasters(ctx); err != nil {
			return err
		}
		peers = m.Joining.etcds
	}
	now, err := etcd.Survey(ctx, peers, m.trust()["etcd"])
	m.Etcd = answered(now, err)
	var stranger x509.UnknownAuthorityError
	switch {
	case errors.As(err, &stranger):
		cert, _ := pairPaths(m.Config, etcdCA)
		return &PreflightError{finding{id: "EtcdCA", problem: fmt.Sprintf("%s is not the authority of the cluster's etcd: %v", cert, err), hint: "copy it from a master of this cluster"}}
	case err != nil:
		return &PreflightError{finding{id: "EtcdMembers", problem: fmt.Sprintf("no etcd member answers at %s: %v", strings.Join(peers, ", "), err),
			hint: "ports 2379 and 2380 of the masters have to be reachable from here"}}
	}
	m.Joining.astray = astray(ctx, m.etcdCluster().Members)
	return nil
}

// readMasters reads the pods of the masters that there are, as an administrator, whom the CA's key makes us.
func (m *Master) readMasters(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, m.APICall)
	defer stop()
	client, err := cluster.FromKubeconfig(m.PKI.Kubeconfigs[adminConf], m.Joining.Found.Server)
	if err != nil {
		return err
	}
	defer client.Close()
	return cluster.Insist(ctx, nil, func(ctx context.Context) error {
		pods, err := client.ListLabelled(ctx, corev1.SchemeGroupVersion.WithKind("Pod"), "kube-system", "tier=control-plane")
		if err != nil {
			return fmt.Errorf("reading the pods of the other masters: %w", err)
		}
		if m.Joining.masters, err = parsePods(pods); err != nil {
			return err
		}
		m.Joining.versions = m.askVersions(ctx)
		if m.Joining.etcds, err = etcdURLs(ctx, client, m.Joining.masters); err == nil && len(m.Joining.etcds) == 0 {
			err = cluster.Soon{Err: errors.New("the cluster does not show its masters yet, neither their pods nor the endpoints of the kubernetes Service")}
		}
		return err
	})
}

// etcdURLs are where the masters' etcd is reached: their pods say it, as soon as their kubelets have told the API of them;
// until then, where an apiserver is, there is its etcd.
func etcdURLs(ctx context.Context, client *cluster.Client, masters []corev1.Pod) ([]string, error) {
	var urls []string
	for _, pod := range masters {
		if url := pod.Annotations[advertised]; url != "" {
			urls = append(urls, strings.Split(url, ",")...)
		}
	}
	if len(urls) > 0 {
		return urls, nil
	}
	slice, err := client.Get(ctx, cluster.EndpointSlice("default", "kubernetes"))
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the endpoints of the kubernetes Service: %w", err)
	}
	endpoints, err := cluster.As[discoveryv1.EndpointSlice](slice)
	for _, e := range endpoints.Endpoints {
		for _, text := range e.Addresses {
			if addr, err := netip.ParseAddr(text); err == nil {
				urls = append(urls, etcdURL(addr, etcdClientPort))
			}
		}
	}
	return urls, err
}

func parsePods(objects []unstructured.Unstructured) ([]corev1.Pod, error) {
	pods := make([]corev1.Pod, len(objects))
	for i := range objects {
		data, err := objects[i].MarshalJSON()
		if err == nil {
			err = json.Unmarshal(data, &pods[i])
		}
		if err != nil {
			return nil, fmt.Errorf("reading pod %s: %w", objects[i].GetName(), err)
		}
	}
	return pods, nil
}
