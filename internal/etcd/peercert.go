package etcd

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ExpiredPeers are those of the members at the peer URLs that present a certificate there which has expired, with its end.
// A member that is started anew gets no connection with them. Who can not be reached is not among them: what that means is
// for those who count the quorum. An etcd reads its certificate from its files for each connection (client/pkg/transport,
// TLSInfo.baseConfig), so that renewed files are presented at once.
func ExpiredPeers(ctx context.Context, peers []Peer, trust *tls.Config) []Peer {
	expired := make([]Peer, len(peers))
	each(len(peers), func(i int) {
		for _, peerURL := range peers[i].PeerURLs {
			if ends := presentedUntil(ctx, peerURL, trust); !ends.IsZero() && ends.Before(time.Now()) {
				expired[i] = peers[i]
				expired[i].Expired = ends
			}
		}
	})
	return slices.DeleteFunc(expired, func(p Peer) bool { return p.Expired.IsZero() })
}

// presentedUntil is the end of the certificate that is presented at the URL; zero where there is no connection.
func presentedUntil(ctx context.Context, peerURL string, trust *tls.Config) time.Time {
	u, err := url.Parse(peerURL)
	if err != nil {
		return time.Time{}
	}
	conn, err := shake(ctx, u.Host, tolerantly(trust))
	if err != nil {
		return time.Time{}
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].NotAfter
}

// Rejoins is nil if a member that is started anew gets connections with all the others: a RefusedError that names those
// that are to get new certificates first.
func Rejoins(ctx context.Context, others []Peer, trust *tls.Config) error {
	expired := ExpiredPeers(ctx, others, trust)
	if len(expired) == 0 {
		return nil
	}
	var names, lines []string
	for _, p := range expired {
		names = append(names, p.String())
		lines = append(lines, fmt.Sprintf("  %s: it expired on %s", p, p.Expired.UTC().Format(time.RFC3339)))
	}
	return refused("etcd of %s presents a certificate that has expired: a member that is started anew gets no connection with it\n%s\n"+
		"hint: run tripod certs renew all on %s first, then here once more", strings.Join(names, " and "), strings.Join(lines, "\n"), strings.Join(names, " and "))
}
