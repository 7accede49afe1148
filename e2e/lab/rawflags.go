package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// elsewhere stands in for the processes' address where kubeadm makes their files: it takes no loopback address there.
const elsewhere = "10.88.0.2"

// credentials has kubeadm make keys, certificates and kubeconfigs, with ECDSA keys as tripod has them.
func (r *Raw) credentials(ctx context.Context) error {
	config := fmt.Sprintf(`apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration: {name: raw, criSocket: "unix:///nowhere"}
localAPIEndpoint: {advertiseAddress: %[4]s}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: %[1]s
certificatesDir: %[2]s/pki
encryptionAlgorithm: ECDSA-P256
apiServer: {certSANs: ["%[3]s"]}
etcd: {local: {serverCertSANs: ["%[3]s"], peerCertSANs: ["%[3]s"]}}
`, r.version, r.scratch.path, r.Addr, elsewhere)
	path := filepath.Join(r.scratch.path, "kubeadm.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "phase", "certs", "all", "--config", path},
		{"init", "phase", "kubeconfig", "admin", "--config", path, "--kubeconfig-dir", r.scratch.path},
		{"init", "phase", "kubeconfig", "controller-manager", "--config", path, "--kubeconfig-dir", r.scratch.path},
		{"init", "phase", "kubeconfig", "scheduler", "--config", path, "--kubeconfig-dir", r.scratch.path},
	} {
		if out, err := exec.CommandContext(ctx, r.lab.Component(r.version, "kubeadm"), args...).CombinedOutput(); err != nil {
			return fmt.Errorf("kubeadm %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return r.comeHome()
}

// comeHome points the kubeconfigs at the processes' own address.
func (r *Raw) comeHome() error {
	for _, name := range []string{"admin.conf", "controller-manager.conf", "scheduler.conf"} {
		path := filepath.Join(r.scratch.path, name)
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data = []byte(strings.ReplaceAll(string(data), elsewhere, r.Addr.String()))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (r *Raw) pki(name string) string { return filepath.Join(r.scratch.path, "pki", name) }

func (r *Raw) etcd() []string {
	client, peer := fmt.Sprintf("https://%s:2379", r.Addr), fmt.Sprintf("https://%s:2380", r.Addr)
	return []string{
		"--name=raw", "--data-dir=" + filepath.Join(r.scratch.path, "etcd"), "--snapshot-count=10000",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=raw=" + peer,
		"--cert-file=" + r.pki("etcd/server.crt"), "--key-file=" + r.pki("etcd/server.key"),
		"--trusted-ca-file=" + r.pki("etcd/ca.crt"), "--client-cert-auth=true",
		"--peer-cert-file=" + r.pki("etcd/peer.crt"), "--peer-key-file=" + r.pki("etcd/peer.key"),
		"--peer-trusted-ca-file=" + r.pki("etcd/ca.crt"), "--peer-client-cert-auth=true",
		"--listen-metrics-urls=" + fmt.Sprintf("http://%s:2381", r.Addr),
		"--feature-gates=InitialCorruptCheck=true", "--watch-progress-notify-interval=5s",
	}
}

func (r *Raw) apiserver() []string {
	return []string{
		"--advertise-address=" + r.Addr.String(), "--bind-address=" + r.Addr.String(), "--secure-port=6443",
		"--endpoint-reconciler-type=none", // the endpoint of the kubernetes Service must not be a loopback address
		"--allow-privileged=true", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--enable-bootstrap-token-auth=true", "--client-ca-file=" + r.pki("ca.crt"),
		"--etcd-cafile=" + r.pki("etcd/ca.crt"), "--etcd-certfile=" + r.pki("apiserver-etcd-client.crt"),
		"--etcd-keyfile=" + r.pki("apiserver-etcd-client.key"), "--etcd-servers=" + fmt.Sprintf("https://%s:2379", r.Addr),
		"--kubelet-client-certificate=" + r.pki("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + r.pki("apiserver-kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
		"--proxy-client-cert-file=" + r.pki("front-proxy-client.crt"), "--proxy-client-key-file=" + r.pki("front-proxy-client.key"),
		"--requestheader-client-ca-file=" + r.pki("front-proxy-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local", "--service-cluster-ip-range=10.96.0.0/12",
		"--service-account-key-file=" + r.pki("sa.pub"), "--service-account-signing-key-file=" + r.pki("sa.key"),
		"--tls-cert-file=" + r.pki("apiserver.crt"), "--tls-private-key-file=" + r.pki("apiserver.key"),
	}
}

func (r *Raw) controllerManager() []string {
	return append(r.client("controller-manager.conf"),
		"--client-ca-file="+r.pki("ca.crt"), "--requestheader-client-ca-file="+r.pki("front-proxy-ca.crt"),
		"--root-ca-file="+r.pki("ca.crt"), "--service-account-private-key-file="+r.pki("sa.key"),
		"--cluster-signing-cert-file="+r.pki("ca.crt"), "--cluster-signing-key-file="+r.pki("ca.key"),
		"--use-service-account-credentials=true", "--controllers=*,bootstrapsigner,tokencleaner", "--cluster-name=kubernetes",
	)
}

func (r *Raw) scheduler() []string { return r.client("scheduler.conf") }

// client are the flags that the controller-manager and the scheduler share.
func (r *Raw) client(kubeconfig string) []string {
	path := filepath.Join(r.scratch.path, kubeconfig)
	return []string{
		"--bind-address=" + r.Addr.String(), "--leader-elect=true", "--kubeconfig=" + path,
		"--authentication-kubeconfig=" + path, "--authorization-kubeconfig=" + path,
	}
}

// lastLines are the last lines of a file, for an error.
func lastLines(path string, count int) string {
	data, _ := os.ReadFile(path)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
