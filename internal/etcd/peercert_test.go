package etcd

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"tripod.dev/tripod/certs"
)

// shortly is how long the leafs live of members that are to outlive them: far longer than three members take to start.
const shortly = 30 * time.Second

// mortals are three voters with certificates of their own, which have expired when it returns.
func mortals(t *testing.T) []*server {
	t.Helper()
	pki, all, cluster := issue(t), []*server{}, []string{}
	for _, name := range []string{"a", "b", "c"} {
		s := &server{dir: t.TempDir(), client: freeURL(t), peer: freeURL(t), pki: pki}
		all, cluster = append(all, s), append(cluster, name+"="+s.peer)
	}
	var end time.Time
	for i, s := range all {
		end = s.renew(t, shortly)
		s.launch(t, "--name="+string(rune('a'+i)), "--initial-cluster="+strings.Join(cluster, ","), "--peer-client-cert-auth=true")
	}
	for _, s := range all {
		member := s.dialed(t)
		for until := time.Now().Add(20 * time.Second); member.Healthy(t.Context()) != nil; time.Sleep(lookEvery) {
			if time.Now().After(until) {
				t.Fatal(member.Healthy(t.Context()))
			}
		}
	}
	if time.Now().After(end) {
		t.Skip("SKIPPED: this machine takes longer to start three members than their certificates live")
	}
	time.Sleep(time.Until(end.Add(time.Second)))
	return all
}

// renew gives the server another certificate, in the files that it has.
func (s *server) renew(t *testing.T, validity time.Duration) (end time.Time) {
	t.Helper()
	spec := certs.Spec{CommonName: "a", IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Algorithm: certs.ECDSAP256, Validity: validity,
		Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	ca := s.pki["ca"]
	leaf, err := certs.Issue(spec, &ca, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"ca.crt": ca.CertPEM(), "server.crt": leaf.CertPEM(), "server.key": key(t, leaf)} {
		if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return leaf.Cert.NotAfter
}

// restart ends the member as a kubelet does, and starts it on the same data.
func (s *server) restart(t *testing.T) {
	t.Helper()
	s.end(t)
	s.run(t)
}

// Members whose certificates have all expired serve each other on the connections that they have. Who is started anew then gets
// none: first all have to have new certificates, which they take from their files by themselves.
func TestExpiredPeers(t *testing.T) {
	t.Parallel()
	all := mortals(t)
	trust := all[0].trust("ca")
	var invalid x509.CertificateInvalidError
	if _, err := Dial(t.Context(), all[0].client, trust); !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		t.Fatalf("a proof takes an expired certificate: %v", err)
	}
	if _, err := Survey(t.Context(), []string{all[0].client}, all[0].trust("other")); err == nil {
		t.Error("another authority's certificate is taken, if it has expired")
	}
	c, err := Survey(t.Context(), []string{all[0].client}, trust)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range c.Members {
		if p.Err != nil || p.Expired.IsZero() {
			t.Errorf("%s: %v, expired %s", p, p.Err, p.Expired)
		}
	}
	written := all[0].writes(t, c)

	others := func(i int) []Peer { return others(c, all[i].peer) }
	mentions(t, Rejoins(t.Context(), others(0), trust), "run tripod certs renew all on b and c first")
	for i, s := range all {
		if len(ExpiredPeers(t.Context(), others(i), trust)) != 2-i {
			t.Errorf("of the others of %d these have expired: %v", i, ExpiredPeers(t.Context(), others(i), trust))
		}
		s.renew(t, time.Hour)
	}
	for i, s := range all {
		if err := Rejoins(t.Context(), others(i), trust); err != nil {
			t.Fatal(err)
		}
		s.restart(t)
		s.settles(t)
	}
	written(t)
}

// others are the members that are not at the peer URL.
func others(c Cluster, peer string) (all []Peer) {
	for _, p := range c.Members {
		if p.PeerURLs[0] != peer {
			all = append(all, p)
		}
	}
	return all
}

// settles waits until all three are healthy.
func (s *server) settles(t *testing.T) {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(lookEvery) {
		c, err := Survey(t.Context(), []string{s.client}, s.trust("ca"))
		if err == nil && len(c.healthyVoters()) == 3 {
			return
		}
		if time.Now().After(until) {
			t.Fatal(err, c.sick())
		}
	}
}

// writes begins to write through all members, and returns what ends that and wants all to be there that was acknowledged.
func (s *server) writes(t *testing.T, c Cluster) (ended func(*testing.T)) {
	t.Helper()
	voters, err := c.Connect(s.trust("ca"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = voters.Close() })
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan []string)
	go func() {
		var keys []string
		for n := 0; ctx.Err() == nil; n++ {
			name := fmt.Sprintf("w%06d", n)
			call, end := context.WithTimeout(ctx, readTimeout)
			if _, err := voters.client.Put(call, name, "x"); err == nil {
				keys = append(keys, name)
			}
			end()
			time.Sleep(10 * time.Millisecond)
		}
		done <- keys
	}()
	return func(t *testing.T) {
		t.Helper()
		stop()
		keys := <-done
		all, err := voters.client.Get(t.Context(), "w", clientv3.WithPrefix(), clientv3.WithKeysOnly())
		if err != nil {
			t.Fatal(err)
		}
		there := map[string]bool{}
		for _, kv := range all.Kvs {
			there[string(kv.Key)] = true
		}
		for _, name := range keys {
			if !there[name] {
				t.Errorf("%s was acknowledged, and is lost", name)
			}
		}
		t.Logf("%d writes were acknowledged", len(keys))
	}
}
