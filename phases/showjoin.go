package phases

import (
	"context"
	"slices"
	"strings"

	"tripod.dev/tripod/internal/bootstrap"
)

// withheld stands for a secret that the user does not want to be printed.
const withheld = "<value withheld>"

// WithTokens is the master with the tokens that the cluster has by now, where they were not known when the plan was made.
func (m Master) WithTokens(ctx context.Context) Master {
	client, err := m.client()
	if m.Tokens.Err() == nil || err != nil {
		return m
	}
	defer client.Close()
	ctx, stop := context.WithTimeout(ctx, answerWithin)
	defer stop()
	m.Tokens = readTokens(ctx, client)
	return m
}

// JoinCommand is how workers and masters join the cluster that this master has begun, by the name of program. Both are
// empty if there is no token to join by. They hold secrets: only for the eyes of whoever has run init.
func (m Master) JoinCommand(program string) (worker, controlPlane string) {
	tokens, err := m.tokens()
	if m.Beginning != nil && (m.isUp() || m.mayBeUp() != nil || m.Tokens.Err() != nil) {
		tokens = slices.DeleteFunc(tokens, func(t bootstrap.Record) bool { return !m.hasToken(t) })
	}
	first := slices.IndexFunc(tokens, func(t bootstrap.Record) bool {
		return t.For(bootstrap.Signing) && t.For(bootstrap.Authentication)
	})
	if err != nil || first < 0 {
		return "", ""
	}
	token := tokens[first].String()
	if m.SkipTokenPrint {
		token = withheld
	}
	worker = program + " join " + m.Endpoint + " --token " + token + " \\\n\t" + strings.Join(m.pins(), " ")
	controlPlane = worker + " \\\n\t--control-plane"
	switch {
	case m.CertificateKey == "":
	case m.SkipCertificateKeyPrint:
		controlPlane += " --certificate-key " + withheld
	default:
		controlPlane += " --certificate-key " + m.CertificateKey
	}
	return worker, controlPlane
}

// hasToken says whether the cluster is known to have the token.
func (m Master) hasToken(t bootstrap.Record) bool {
	return slices.ContainsFunc(m.knownTokens(), func(live bootstrap.Record) bool { return live.Token == t.Token && !live.Expired(m.Now) })
}

// pins are the flags that name every certificate of the CA's bundle.
func (m Master) pins() []string {
	var pins []string
	for _, ca := range m.PKI.Pairs[clusterCA].Chain {
		pins = append(pins, "--discovery-token-ca-cert-hash "+bootstrap.CAHash(ca))
	}
	return pins
}
