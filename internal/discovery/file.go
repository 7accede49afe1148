package discovery

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"tripod.dev/tripod/internal/bootstrap"
)

// byFile takes server and CA from a kubeconfig, and their latest from cluster-info where that can be read.
func (i *inquiry) byFile(ctx context.Context) (Found, error) {
	cluster, user, err := i.kubeconfig(ctx)
	if err != nil {
		return Found{}, err
	}
	server, err := url.Parse(cluster.Server)
	if err != nil || server.Host == "" {
		return Found{}, i.badFile(fmt.Errorf("its server %q is not an https URL", cluster.Server))
	}
	if len(cluster.CertificateAuthorityData) == 0 || server.Scheme != "https" {
		return Found{}, i.badFile(errors.New("its cluster needs an https server and a certificate-authority"))
	}
	i.Endpoint = server.Host
	cluster = &api.Cluster{Server: cluster.Server, CertificateAuthorityData: cluster.CertificateAuthorityData}
	client, err := i.trusting(cluster.CertificateAuthorityData)
	if err != nil {
		return Found{}, err
	}
	err = i.until(ctx, func(ctx context.Context) error { return i.refresh(ctx, client, cluster) })
	if err != nil {
		return Found{}, err
	}
	return i.found(cluster, user)
}

// refresh takes the CA from cluster-info, if there is one: the file may be older than the CA's last change.
func (i *inquiry) refresh(ctx context.Context, client *http.Client, cluster *api.Cluster) error {
	info, err := i.info(ctx, client)
	if err != nil && !i.answered.IsZero() {
		return nil // the cluster has answered, and has none: the file is enough
	}
	if err != nil {
		return err
	}
	latest, err := onlyCluster(info[bootstrap.InfoKey])
	if err == nil && len(latest.CertificateAuthorityData) > 0 {
		cluster.CertificateAuthorityData = latest.CertificateAuthorityData
	}
	return nil
}

// kubeconfig is cluster and user of the file's current context, or of the only ones there are.
func (i *inquiry) kubeconfig(ctx context.Context) (*api.Cluster, *api.AuthInfo, error) {
	config, err := i.load(ctx)
	if err != nil {
		return nil, nil, err
	}
	current := config.Contexts[config.CurrentContext]
	if current == nil {
		current = &api.Context{}
	}
	cluster := chosen(config.Clusters, current.Cluster)
	if cluster == nil {
		return nil, nil, i.badFile(errors.New("it has no cluster in its current context"))
	}
	user := chosen(config.AuthInfos, current.AuthInfo)
	switch {
	case i.TLSToken.ID != "":
		user = &api.AuthInfo{Token: i.TLSToken.String()}
	case user == nil || !credentials(user):
		return nil, nil, i.badFile(errors.New("it has no credentials\nhint: give a token with --tls-bootstrap-token, or discovery.tlsBootstrapToken"))
	}
	return cluster, user, nil
}

// chosen is the one of that name, or the only one.
func chosen[T any](all map[string]*T, name string) *T {
	if one := all[name]; one != nil || len(all) != 1 {
		return one
	}
	for _, one := range all {
		return one
	}
	return nil
}

func credentials(user *api.AuthInfo) bool {
	return len(user.ClientCertificateData) > 0 || user.Token != "" || user.TokenFile != "" || user.Exec != nil || user.ClientCertificate != ""
}

// load reads the file, with the files that it names; one from elsewhere names none of this machine's.
func (i *inquiry) load(ctx context.Context) (*api.Config, error) {
	if !strings.HasPrefix(i.File, "https://") {
		config, err := clientcmd.LoadFromFile(i.File)
		if err == nil {
			err = clientcmd.ResolveLocalPaths(config)
		}
		if err == nil {
			err = api.FlattenConfig(config)
		}
		if err != nil {
			return nil, i.badFile(unreadable(err))
		}
		return config, nil
	}
	var data []byte
	err := i.until(ctx, func(ctx context.Context) (err error) {
		data, err = i.fetch(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.Load(data)
	if err != nil {
		return nil, i.badFile(unreadable(err))
	}
	for _, user := range config.AuthInfos {
		if user.Exec != nil || user.ClientCertificate != "" || user.ClientKey != "" || user.TokenFile != "" {
			return nil, i.badFile(errors.New("from elsewhere it may not name files and commands of this machine"))
		}
	}
	return config, nil
}

// fetch gets the file from its URL, from a server that this machine trusts.
func (i *inquiry) fetch(ctx context.Context) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, i.File, nil)
	if err != nil {
		return nil, i.badFile(err)
	}
	i.Endpoint = request.URL.Host
	response, err := client(&tls.Config{RootCAs: i.roots, Time: i.Now}).Do(request)
	if err != nil {
		return nil, i.unanswered(ctx, err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusInternalServerError {
		return nil, fmt.Errorf("%s answers %s", i.Endpoint, response.Status)
	}
	if response.StatusCode != http.StatusOK {
		return nil, i.badFile(errors.New(response.Status))
	}
	return io.ReadAll(io.LimitReader(response.Body, answerLimit))
}

func (i *inquiry) badFile(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		err = errors.New("it is not there")
	}
	name, _, _ := strings.Cut(i.File, "?") // what comes after it may be a secret, and a password before the host
	if place, parseErr := url.Parse(name); parseErr == nil && place.User != nil {
		name = place.Redacted()
	}
	return &Error{BadFile, fmt.Errorf("the discovery file %s: %w", name, err)}
}

// unreadable is the reason why a kubeconfig can't be read, without the words of its decoder, which may quote it.
func unreadable(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path
	}
	return errors.New("it is no kubeconfig")
}
