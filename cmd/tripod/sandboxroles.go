package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"time"

	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/sandbox"
)

// rolesWithin is the time that etcd has to say who is what in it.
const rolesWithin = time.Second

// roles are those of the masters' etcd members, by node: leader, voter or learner. Those that can't be known are missing;
// nobody asks where there is one master only.
func roles(ctx context.Context, s sandbox.Sandbox) map[string]string {
	if len(s.Masters) == 1 {
		return nil
	}
	trust, err := etcdTrust(s.Paths(elder(s)).PKI)
	if err != nil {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, rolesWithin)
	defer stop()
	all := map[string]string{}
	cluster, _ := etcd.Survey(ctx, peers(s, sandbox.Master{}), trust) // what is known by the end of the time is told
	for _, p := range cluster.Members {
		switch {
		case p.Leads:
			all[p.Name] = "leader"
		case p.Learner:
			all[p.Name] = "learner"
		default:
			all[p.Name] = "voter"
		}
	}
	return all
}

// etcdTrust is how etcd is asked for its health.
func etcdTrust(pki string) (*tls.Config, error) {
	in := func(name string) string { return filepath.Join(pki, "etcd", name) }
	client, err := tls.LoadX509KeyPair(in("healthcheck-client.crt"), in("healthcheck-client.key"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(in("ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{client}}, nil
}
