package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGenerateCSR(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "master.yaml")
	write(t, file, `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration: {name: m1}
localAPIEndpoint: {advertiseAddress: 10.0.0.1}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
apiServer: {certSANs: [api.example.org]}
`)
	line := []string{"certs", "generate-csr", "--config", file, "--cert-dir", filepath.Join(dir, "pki"), "--kubeconfig-dir", dir}
	first, errs, code := tripod(t, line...)
	if code != 0 || !strings.HasPrefix(first, "create "+dir+"/pki/apiserver.key (0600)\ncreate "+dir+"/pki/apiserver.csr (0600)\n") {
		t.Fatalf("exit code %d\n%s%s", code, first, errs)
	}
	second, _, code := tripod(t, line...)
	if code != 0 || !strings.HasSuffix(first, second) || !strings.HasPrefix(second, "CERTIFICATE ") || !strings.Contains(second, " server, client   "+dir+"/pki/etcd/peer.csr\n") {
		t.Errorf("exit code %d\n%s", code, second)
	}
	if info, err := os.Stat(filepath.Join(dir, "kubelet.conf")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	write(t, filepath.Join(dir, "pki", "apiserver.key"), "hello")
	for line, want := range map[string]string{
		strings.Join(line[2:], " "): "pki/apiserver.key: the key file holds no RSA or ECDSA private key",
		"--kubeconfig-dir x":        "--kubeconfig-dir=x: it has to be absolute",
		"--config /nowhere":         "no such file",
		"--config " + dir:           "is a directory",
		"--kubeconfig-dir=/x y":     "takes no argument",
	} {
		out, errs, code := tripod(t, append([]string{"certs", "generate-csr"}, strings.Fields(line)...)...)
		if code != exitInput || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d\n%s%s", line, code, out, errs)
		}
	}
}
