package phases

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/templates"
)

// worthwhile is what a token from an earlier init must have left to be printed again.
const worthwhile = 10 * time.Minute

// bootstrapTokens wants what nodes join by (kubeadm: cmd/kubeadm/app/phases/bootstraptoken): the tokens, cluster-info signed
// with each, and what those who hold a token may do.
func bootstrapTokens(m Master) ([]*unstructured.Unstructured, error) {
	tokens, err := m.tokens()
	if err != nil {
		return nil, err
	}
	info, err := clusterInfo(m, tokens)
	if err != nil {
		return nil, err
	}
	objects, err := parseObjects(templates.BootstrapToken())
	objects = append(objects, info)
	for _, t := range tokens {
		objects = append(objects, t.Object())
	}
	return objects, err
}

// clusterInfo is where the cluster is and whom to trust, signed at once with every token that may. The controller-manager's
// bootstrapsigner would do it some seconds later, with the same result; signatures by further tokens are its own.
func clusterInfo(m Master, tokens []bootstrap.Record) (*unstructured.Unstructured, error) {
	kubeconfig, err := bootstrap.ClusterInfo(serverURL(adminConf, m.Config), m.PKI.Pairs[clusterCA].ChainPEM())
	if err != nil {
		return nil, fmt.Errorf("encoding cluster-info: %w", err)
	}
	data := map[string]any{bootstrap.InfoKey: kubeconfig}
	for _, t := range tokens {
		if !t.For(bootstrap.Signing) {
			continue
		}
		if data[bootstrap.SignaturePrefix+t.ID], err = t.Sign(kubeconfig); err != nil {
			return nil, fmt.Errorf("signing cluster-info: %w", err)
		}
	}
	object := cluster.ConfigMap(bootstrap.InfoNamespace, bootstrap.InfoName)
	object.Object["data"] = data
	return object, nil
}

// tokens are those that the cluster is to have. One that it has already keeps its end, unless the configuration names another moment.
func (m Master) tokens() ([]bootstrap.Record, error) {
	var tokens []bootstrap.Record
	for _, wanted := range m.Init.BootstrapTokens {
		token, err := bootstrap.ParseToken(wanted.Token)
		if err != nil {
			return nil, err
		}
		r := bootstrap.Record{Token: token, Description: wanted.Description, Usages: wanted.Usages, Groups: wanted.Groups}
		r.Expires = expiry(wanted, m.Now)
		live := slices.IndexFunc(m.knownTokens(), func(t bootstrap.Record) bool { return t.Token == r.Token && !t.Expired(m.Now) })
		if live >= 0 && wanted.Expires == nil {
			r.Expires = m.knownTokens()[live].Expires
		}
		tokens = append(tokens, r)
	}
	if earlier, found := m.earlier(tokens); found {
		tokens[0] = earlier
	}
	return tokens, nil
}

// expiry is when a token ends: zero for never.
func expiry(t config.BootstrapToken, now time.Time) time.Time {
	switch {
	case t.Expires != nil:
		return t.Expires.Time
	case t.TTL != nil && t.TTL.Duration > 0:
		return now.Add(t.TTL.Duration)
	}
	return time.Time{}
}

// earlier is the token that an earlier init has drawn, where nobody asked for a certain one: the line that joins
// nodes stays the same. It is known by its description.
func (m Master) earlier(tokens []bootstrap.Record) (bootstrap.Record, bool) {
	if !m.TokenDrawn || len(tokens) == 0 {
		return bootstrap.Record{}, false
	}
	fit := slices.DeleteFunc(slices.Clone(m.knownTokens()), func(t bootstrap.Record) bool {
		return t.Description != tokens[0].Description || t.Expired(m.Now.Add(worthwhile)) ||
			!t.For(bootstrap.Signing) || !t.For(bootstrap.Authentication)
	})
	if len(fit) == 0 {
		return bootstrap.Record{}, false
	}
	return slices.MaxFunc(fit, func(a, b bootstrap.Record) int {
		return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.ID, b.ID))
	}), true
}
