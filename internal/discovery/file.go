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
	"tripod.dev/tripod/internal/cluster"
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
	known, err := parseAuthorities(cluster.CertificateAuthorityData)
	if err != nil || server.Scheme != "https" {
		return Found{}, i.badFile(errors.New("its cluster needs an https server and a certificate-authority"))
	}
	i.Endpoint = server.Host
	cluster = &api.Cluster{Server: cluster.Server, CertificateAuthorityData: known.pem()}
	client := i.trusting(known)
	err = i.until(ctx, func(ctx context.Context) error { return i.refresh(ctx, client, cluster) })
	f, unwritten := i.found(cluster, user)
	if err != nil && !knows(ctx, f, err) {
		return Found{}, err
	}
	return f, unwritten
}

// knows says of a cluster that has forbidden everything to everybody whether it answers the user of the file.
func knows(ctx context.Context, f Found, err error) bool {
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Forbidding {
		return false
	}
	c, err := cluster.FromKubeconfig(f.Kubeconfig, "")
	if err != nil {
		return false
	}
	defer c.Close()
	_, err = c.Path(ctx, "/readyz")
	return err == nil
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
	if err != nil {
		return nil // of no use: the file is enough
	}
	if known, err := parseAuthorities(latest.CertificateAuthorityData); err == nil {
		cluster.CertificateAuthorityData = known.pem()
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
	c := client(&tls.Config{RootCAs: i.roots, Time: i.Now})
	c.CheckRedirect = i.onlyHTTPS
	response, err := c.Do(request)
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

// onlyHTTPS follows to where somebody vouches for, too.
func (i *inquiry) onlyHTTPS(next *http.Request, via []*http.Request) error {
	const enough = 10
	if next.URL.Scheme != "https" || len(via) > enough {
		return i.badFile(fmt.Errorf("it lies at %s, and only https is followed", next.URL.Redacted()))
	}
	return nil
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
