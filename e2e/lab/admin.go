package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
)

// admin is whom a kubeconfig with one cluster and one user speaks for.
type admin struct {
	server string // URL
	tls    *tls.Config
}

// readAdmin reads a kubeconfig, as JSON.
func readAdmin(kubeconfig []byte) (admin, error) {
	var file struct {
		Clusters []struct {
			Cluster struct {
				Server string
				CA     []byte `json:"certificate-authority-data"`
			}
		}
		Users []struct {
			User struct {
				Certificate []byte `json:"client-certificate-data"`
				Key         []byte `json:"client-key-data"`
			}
		}
	}
	if err := json.Unmarshal(kubeconfig, &file); err != nil {
		return admin{}, err
	}
	if len(file.Clusters) != 1 || len(file.Users) != 1 {
		return admin{}, errors.New("the kubeconfig has not one cluster and one user")
	}
	cluster, user := file.Clusters[0].Cluster, file.Users[0].User
	pair, err := tls.X509KeyPair(user.Certificate, user.Key)
	if err != nil {
		return admin{}, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cluster.CA)
	return admin{cluster.Server, &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots}}, nil
}

// client makes a connection for every request, so that behind a balancer every master has its turn.
func (a admin) client(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: dial, TLSClientConfig: a.tls, DisableKeepAlives: true}}
}
