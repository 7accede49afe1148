package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"tripod.dev/tripod/internal/bootstrap"
)

// byToken reads cluster-info from a server that it can't trust yet, has the token and the pins vouch for it, and
// reads it again over the connection that it then can trust.
func (i *inquiry) byToken(ctx context.Context) (Found, error) {
	var cluster *api.Cluster
	err := i.until(ctx, func(ctx context.Context) (err error) {
		cluster, err = i.vouched(ctx)
		return err
	})
	if err != nil {
		return Found{}, err
	}
	return i.found(cluster, &api.AuthInfo{Token: cmp.Or(i.TLSToken, i.Token).String()})
}

func (i *inquiry) server() string { return "https://" + i.Endpoint }

// vouched is the cluster in cluster-info, once it can be trusted.
func (i *inquiry) vouched(ctx context.Context) (*api.Cluster, error) {
	info, err := i.info(ctx, i.blind())
	if err != nil {
		return nil, err
	}
	jws := info[bootstrap.SignaturePrefix+i.Token.ID]
	if jws != "" {
		if err := i.Token.Verify(info[bootstrap.InfoKey], jws); err != nil {
			return nil, &Error{BadToken, fmt.Errorf("cluster-info at %s: %w: the secret half of token %s is wrong\nhint: tripod token create --print-join-command on a master prints a new one",
				i.Endpoint, err, i.Token.ID)}
		}
	}
	cluster, err := onlyCluster(info[bootstrap.InfoKey])
	if err != nil {
		return nil, &Error{BadCA, fmt.Errorf("cluster-info at %s: %w", i.Endpoint, err)}
	}
	known, err := i.pinned(cluster.CertificateAuthorityData)
	if err != nil {
		return nil, err
	}
	if jws == "" {
		return nil, i.unsigned(ctx, info, known)
	}
	cluster.CertificateAuthorityData = known.pem()
	return cluster, i.same(ctx, info, known)
}

// same reads cluster-info over verified TLS: a server that is known by a pin then vouches for all of it. It is insisted on for itself:
// where a balancer sends connections in turn to masters that are not all up, one that got through is followed by one
// that does not, and to begin anew each time would never end.
func (i *inquiry) same(ctx context.Context, info map[string]string, known authorities) error {
	client := i.trusting(known)
	var again map[string]string
	err := i.until(ctx, func(ctx context.Context) (err error) {
		again, err = i.info(ctx, client)
		return err
	})
	if err == nil && again[bootstrap.InfoKey] != info[bootstrap.InfoKey] {
		err = errors.New("cluster-info has just changed")
	}
	return err
}

// unsigned finds out why there is no signature: the token may not be known, or it is too early. The token goes to
// nobody who is not known to be the cluster.
func (i *inquiry) unsigned(ctx context.Context, info map[string]string, known authorities) error {
	late := i.overdue()
	if len(i.CAHashes) == 0 {
		return i.doubtful(info, late)
	}
	client := i.trusting(known)
	var status int
	err := i.until(ctx, func(ctx context.Context) (err error) {
		status, err = i.authenticates(ctx, client)
		return err
	})
	switch {
	case err != nil:
		return err
	case status == http.StatusUnauthorized:
		return &Error{BadToken, fmt.Errorf("token %s is not known to the cluster at %s, or has expired\nhint: tripod token create --print-join-command on a master prints a new one", i.Token.ID, i.Endpoint)}
	case late:
		return &Error{Unsigned, fmt.Errorf("cluster-info at %s carries no signature by token %s, which the cluster knows: its controller-manager (bootstrapsigner) does not run, or the token has not the usage %s",
			i.Endpoint, i.Token.ID, bootstrap.Signing)}
	}
	return fmt.Errorf("cluster-info at %s is not signed by token %s yet", i.Endpoint, i.Token.ID)
}

// doubtful is for those who pin nothing, and so can't ask about the token.
func (i *inquiry) doubtful(info map[string]string, late bool) error {
	var signers []string
	for _, key := range slices.Sorted(maps.Keys(info)) {
		if id, ok := strings.CutPrefix(key, bootstrap.SignaturePrefix); ok {
			signers = append(signers, id)
		}
	}
	reason := fmt.Errorf("cluster-info at %s is signed by %s, not by token %s", i.Endpoint, cmp.Or(strings.Join(signers, ", "), "nobody"), i.Token.ID)
	switch {
	case !late:
		return reason
	case len(signers) > 0:
		return &Error{BadToken, fmt.Errorf("%w: it is not known, or has expired\nhint: tripod token create --print-join-command on a master prints a new one", reason)}
	}
	return &Error{Unsigned, fmt.Errorf("%w: the controller-manager (bootstrapsigner) does not run, or no token is valid", reason)}
}

// pinned are the authorities of a bundle that may say who the cluster is: those with a pin. Where none needs to be pinned,
// the token's signature vouches for all.
func (i *inquiry) pinned(bundle []byte) (authorities, error) {
	all, err := parseAuthorities(bundle)
	if err != nil {
		return authorities{}, &Error{BadCA, fmt.Errorf("the CA in cluster-info at %s: %w", i.Endpoint, err)}
	}
	if len(i.CAHashes) == 0 && i.Unsafe {
		return all, nil
	}
	var hashes []string
	known := authorities{bundle: all.bundle}
	for _, cert := range all.bundle {
		hash := bootstrap.CAHash(cert)
		if slices.ContainsFunc(i.CAHashes, func(pin string) bool { return strings.EqualFold(pin, hash) }) {
			known.anchors = append(known.anchors, cert)
		}
		hashes = append(hashes, hash)
	}
	if len(known.anchors) > 0 {
		return known, nil
	}
	return authorities{}, &Error{BadCA, fmt.Errorf("the CA of the cluster at %s is %s, which is not pinned\nhint: it is another cluster, or somebody between; compare with --discovery-token-ca-cert-hash on a master: tripod token create --print-join-command",
		i.Endpoint, strings.Join(hashes, ", "))}
}

// onlyCluster is the cluster in cluster-info's kubeconfig.
func onlyCluster(kubeconfig string) (*api.Cluster, error) {
	config, err := clientcmd.Load([]byte(kubeconfig))
	if err != nil {
		return nil, fmt.Errorf("its kubeconfig can not be read: %w", err)
	}
	if len(config.Clusters) != 1 {
		return nil, fmt.Errorf("its kubeconfig has %d clusters instead of one", len(config.Clusters))
	}
	for _, cluster := range config.Clusters {
		return &api.Cluster{Server: cluster.Server, CertificateAuthorityData: cluster.CertificateAuthorityData}, nil
	}
	return nil, errors.New("its kubeconfig has no cluster")
}
