package phases

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/manifests"
)

// taggedVersion is the version of a component of a pod by its image's tag; unknown where a digest alone names the image.
func taggedVersion(pod corev1.Pod, component string) Known[config.Version] {
	for _, c := range pod.Spec.Containers {
		if c.Name != component {
			continue
		}
		if v, ok := imageVersion(c.Image); ok {
			return There(v)
		}
		return Unknown[config.Version](fmt.Errorf("its image %s names no version", c.Image))
	}
	return Absent[config.Version]()
}

// podVersion is the same; an apiserver whose image does not tell is asked.
func podVersion(ctx context.Context, kubeconfig []byte, pod corev1.Pod, component string) Known[config.Version] {
	tagged := taggedVersion(pod, component)
	if tagged.Err() == nil || component != "kube-apiserver" {
		return tagged
	}
	v, err := askVersion(ctx, kubeconfig, pod)
	if err != nil {
		return Unknown[config.Version](fmt.Errorf("%w, and it does not say it: %w", tagged.Err(), err))
	}
	return There(v)
}

// askVersion asks an apiserver for its version, where its pod is.
func askVersion(ctx context.Context, kubeconfig []byte, pod corev1.Pod) (config.Version, error) {
	flags := manifests.CommandFlags(&pod)
	host := cmp.Or(flags["advertise-address"], pod.Status.HostIP, pod.Status.PodIP)
	if host == "" {
		return config.Version{}, errors.New("its pod has no address")
	}
	client, err := cluster.FromKubeconfig(kubeconfig, "https://"+net.JoinHostPort(host, cmp.Or(flags["secure-port"], "6443")))
	if err != nil {
		return config.Version{}, err
	}
	defer client.Close()
	var answer struct {
		GitVersion string `json:"gitVersion"`
	}
	err = within(ctx, answerWithin, func(ctx context.Context) error {
		data, err := client.Path(ctx, "/version")
		if err != nil {
			return err
		}
		return json.Unmarshal(data, &answer)
	})
	if err != nil {
		return config.Version{}, err
	}
	return config.ParseVersion(answer.GitVersion)
}

// askVersions are the versions of the other masters' apiservers, by node.
func (m Master) askVersions(ctx context.Context) map[string]Known[config.Version] {
	all := map[string]Known[config.Version]{}
	for _, pod := range m.Joining.masters {
		if pod.Labels["component"] == "kube-apiserver" {
			all[pod.Spec.NodeName] = podVersion(ctx, m.PKI.Kubeconfigs[adminConf], pod, "kube-apiserver")
		}
	}
	return all
}

// untold finds components of the other masters whose version nobody can tell: to another minor version nothing goes that
// might leave them too far behind, or beside an apiserver that is older than they are.
func (m Master) untold(from config.Version) []finding {
	var found []finding
	for _, who := range slices.Sorted(maps.Keys(m.Living.Fleet.Untold)) {
		f := finding{id: "KubernetesVersion", problem: fmt.Sprintf("the version of %s is not known: %v", who, m.Living.Fleet.Untold[who]),
			hint: "name a version beside the digest of its image"}
		apiserver := strings.HasPrefix(who, "kube-apiserver ")
		f.harmless = !apiserver || from.Major == m.Version.Major && from.Minor == m.Version.Minor
		found = append(found, f)
	}
	return found
}
