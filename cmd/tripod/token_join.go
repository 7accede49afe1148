package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/cluster"
)

// joinCommand is the command, on one line, that a machine joins with. Address and CA are what the cluster tells those
// who join (cluster-info), or else what the kubeconfig says.
func (c *tokenCreate) joinCommand(cmd *cobra.Command, client *cluster.Client, kubeconfig []byte, token bootstrap.Token) (string, error) {
	info, err := clusterInfo(cmd, client)
	if err != nil {
		return "", fmt.Errorf("read the ConfigMap cluster-info: %w", err)
	}
	if info == "" {
		info = string(kubeconfig)
	}
	server, pins, err := joinTarget(info)
	if err != nil {
		return "", err
	}
	line := cmd.Root().Name() + " join " + server + " --token " + token.String()
	for _, pin := range pins {
		line += " --discovery-token-ca-cert-hash " + pin
	}
	if c.certificateKey != "" {
		line += " --control-plane --certificate-key " + c.certificateKey
	}
	return line, nil
}

// clusterInfo is the kubeconfig that the cluster hands out, empty if it has none.
func clusterInfo(cmd *cobra.Command, client *cluster.Client) (string, error) {
	var info corev1.ConfigMap
	err := ask(cmd.Context(), cmd.ErrOrStderr(), func(ctx context.Context) error {
		object, err := client.Get(ctx, cluster.ConfigMap(bootstrap.InfoNamespace, bootstrap.InfoName))
		if err == nil {
			info, err = cluster.As[corev1.ConfigMap](object)
		}
		return err
	})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	return info.Data[bootstrap.InfoKey], err
}

// joinTarget is host:port of a kubeconfig's cluster, and the hashes of its CA's keys.
func joinTarget(kubeconfig string) (server string, pins []string, err error) {
	file, err := clientcmd.Load([]byte(kubeconfig))
	if err != nil {
		return "", nil, errors.New("what the cluster says of itself is no kubeconfig")
	}
	entry := currentCluster(file)
	if entry == nil {
		return "", nil, errors.New("the kubeconfig names no cluster")
	}
	address, err := url.Parse(entry.Server)
	if err != nil || address.Host == "" {
		return "", nil, fmt.Errorf("the kubeconfig's server %q is no URL", entry.Server)
	}
	ca, err := certs.Parse(entry.CertificateAuthorityData, nil)
	if err != nil {
		return "", nil, fmt.Errorf("the kubeconfig's CA: %w", err)
	}
	for _, certificate := range ca.Chain {
		pins = append(pins, bootstrap.CAHash(certificate))
	}
	return address.Host, pins, nil
}

// currentCluster is that of the current context, or in a file without contexts the one that there is.
func currentCluster(file *api.Config) *api.Cluster {
	if c := file.Contexts[file.CurrentContext]; c != nil {
		return file.Clusters[c.Cluster]
	}
	if len(file.Clusters) == 1 {
		for _, only := range file.Clusters {
			return only
		}
	}
	return nil
}
