package main

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"tripod.dev/tripod/certs"
)

// aMaster is a folder with a CA, and a configuration file that names it.
func aMaster(t *testing.T) (ca certs.Pair, pki, file string) {
	t.Helper()
	ca, err := certs.Issue(certs.Spec{CommonName: "kubernetes", CA: true, Algorithm: certs.ECDSAP256, Validity: 100 * time.Hour}, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := ca.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	pki = t.TempDir()
	write(t, filepath.Join(pki, "ca.crt"), string(ca.CertPEM()))
	write(t, filepath.Join(pki, "ca.key"), string(key))
	file = filepath.Join(t.TempDir(), "master.yaml")
	write(t, file, `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
clusterName: blue
controlPlaneEndpoint: api.example.org:443
encryptionAlgorithm: ECDSA-P384
certificatesDir: `+pki+"\n")
	return ca, pki, file
}

func TestKubeconfigUser(t *testing.T) {
	t.Parallel()
	ca, _, config := aMaster(t)
	out, errs, code := tripod(t, "kubeconfig", "user", "--client-name", "jane", "--org", "a,b", "--validity-period", "2h", "--config", config)
	if code != 0 {
		t.Fatal(errs)
	}
	file, err := clientcmd.Load([]byte(out))
	if err != nil {
		t.Fatal(err)
	}
	cluster, user := file.Clusters["blue"], file.AuthInfos["jane"]
	if file.CurrentContext != "jane@blue" || cluster == nil || cluster.Server != "https://api.example.org:443" || user == nil {
		t.Fatal(out)
	}
	client, err := certs.Parse(user.ClientCertificateData, user.ClientKeyData)
	if err != nil {
		t.Fatal(err)
	}
	spec := certs.Spec{CommonName: "jane", Organization: []string{"a", "b"}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		Algorithm: certs.ECDSAP384, Validity: 2 * time.Hour}
	if err := client.Fits(spec, ca, time.Now()); err != nil {
		t.Error(err)
	}
	if end := time.Until(client.Cert.NotAfter); end > 2*time.Hour || end < time.Hour {
		t.Errorf("valid for %s", end)
	}
}

func TestKubeconfigUserWithToken(t *testing.T) {
	t.Parallel()
	_, pki, config := aMaster(t)
	if err := os.Remove(filepath.Join(pki, "ca.key")); err != nil { // an external CA
		t.Fatal(err)
	}
	out, errs, code := tripod(t, "kubeconfig", "user", "--client-name", "ci", "--token", "t0k", "--config", config)
	file, err := clientcmd.Load([]byte(out))
	if code != 0 || err != nil || file.AuthInfos["ci"] == nil || file.AuthInfos["ci"].Token != "t0k" || file.AuthInfos["ci"].ClientKeyData != nil {
		t.Errorf("exit code %d, %v\n%s%s", code, err, out, errs)
	}
	out, errs, code = tripod(t, "kubeconfig", "user", "--client-name", "ci", "--config", config)
	if code != exitInput || out != "" || !strings.Contains(errs, "ca.key to sign with\nhint:") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

func TestKubeconfigUserRefuses(t *testing.T) {
	t.Parallel()
	_, pki, config := aMaster(t)
	expired, err := certs.Issue(certs.Spec{CommonName: "kubernetes", CA: true, Algorithm: certs.ECDSAP256, Validity: time.Hour}, nil, time.Now().Add(-2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ args, want string }{
		{"", `required flag(s) "client-name" not set`},
		{"--client-name= --config=" + config, "--client-name is empty"},
		{"--client-name=a --validity-period=0s --config=" + config, "--validity-period: 0s is not more than 0"},
		{"--client-name=a --token=t --org=g --config=" + config, "--org goes into a certificate"},
		{"--client-name=a --config=/nowhere.yaml", "no such file"},
		{"--client-name=a --config=" + config + " x", "takes no argument"},
	} {
		out, errs, code := tripod(t, append([]string{"kubeconfig", "user"}, strings.Fields(tt.args)...)...)
		if code != exitInput || out != "" || !strings.Contains(errs, tt.want) {
			t.Errorf("%s: exit code %d\n%s%s", tt.args, code, out, errs)
		}
	}
	write(t, filepath.Join(pki, "ca.crt"), string(expired.CertPEM()))
	if err := os.Remove(filepath.Join(pki, "ca.key")); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := tripod(t, "kubeconfig", "user", "--client-name=a", "--config="+config); code != exitInput || !strings.Contains(errs, "has expired at") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

// A certificate for longer than a year is made, with a warning.
func TestKubeconfigUserWarns(t *testing.T) {
	t.Parallel()
	_, _, config := aMaster(t)
	out, errs, code := tripod(t, "kubeconfig", "user", "--client-name=a", "--validity-period=9000h", "--config="+config)
	if code != 0 || out == "" || !strings.Contains(errs, "warning: --validity-period") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}
