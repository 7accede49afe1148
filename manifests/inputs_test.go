package manifests

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestInputs(t *testing.T) {
	t.Parallel()
	spec := corev1.PodSpec{
		Containers: []corev1.Container{{
			Name: "kube-apiserver",
			Command: []string{"kube-apiserver", "--audit-policy-file=/audit/policy.yaml", "--audit-log-path=/audit/log", "--oidc_ca_file", "/pki/sub/oidc.crt",
				"--tls-sni-cert-key=/sni/a.crt,/sni/a.key:*.example", "--service-account-key-file=/pki/a.pub", "--service-account-key-file=/pki/b.pub",
				"--authentication-config="},
			VolumeMounts: []corev1.VolumeMount{{Name: "sub", MountPath: "/pki/sub"}, {Name: "pki", MountPath: "/pki"}, {Name: "audit", MountPath: "/audit"},
				{Name: "empty", MountPath: "/sni"}},
		}, {
			Name:         "etcd",
			Args:         []string{"--auth-token=jwt,pub-key=/one/jwt.pub,priv-key=/one/jwt.key,sign-method=RS512", "--data-dir=/one"},
			VolumeMounts: []corev1.VolumeMount{{Name: "audit", MountPath: "/one/jwt.pub", SubPath: "jwt.pub"}},
		}},
		Volumes: []corev1.Volume{volume("pki", "/etc/pki"), volume("sub", "/srv/sub"), volume("audit", "/srv/audit"), {Name: "empty"}},
	}
	want := []Input{
		{"kube-apiserver", "audit-policy-file", "/audit/policy.yaml", "/srv/audit/policy.yaml"},
		{"kube-apiserver", "oidc-ca-file", "/pki/sub/oidc.crt", "/srv/sub/oidc.crt"},
		{"kube-apiserver", "tls-sni-cert-key", "/sni/a.crt", ""},
		{"kube-apiserver", "tls-sni-cert-key", "/sni/a.key", ""},
		{"kube-apiserver", "service-account-key-file", "/pki/a.pub", "/etc/pki/a.pub"},
		{"kube-apiserver", "service-account-key-file", "/pki/b.pub", "/etc/pki/b.pub"},
		{"etcd", "auth-token", "/one/jwt.pub", "/srv/audit/jwt.pub"},
		{"etcd", "auth-token", "/one/jwt.key", ""},
	}
	if diff := cmp.Diff(want, Inputs(&corev1.Pod{Spec: spec})); diff != "" {
		t.Error(diff)
	}
}

func volume(name, path string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}}}
}

// Every flag that looks like a file's is either one that names an input, or known to be none: a new version of a component
// brings new ones.
func TestInputFlagsAreComplete(t *testing.T) {
	t.Parallel()
	none := []string{
		"audit-log-path", "debug-socket-path", "encryption-provider-config-automatic-reload", "write-config-to", "runtime-config",
		"runtime-config-emulation-forward-compatible", "strict-reconfig-check", "log-rotation-config-json", "flex-volume-plugin-dir",
		"authorization-always-allow-paths", "pv-recycler-timeout-increment-hostpath", "pv-recycler-minimum-timeout-hostpath",
		"enable-hostpath-provisioner", "cert-dir", "configure-cloud-routes", "contention-profiling", "config", "client-cert-auth", "peer-client-cert-auth",
		"client-cert-allowed-hostname", "peer-cert-allowed-cn", "peer-cert-allowed-hostname", "self-signed-cert-validity", "profiling",
	}
	for _, table := range []string{"kube-apiserver 1.34", "kube-apiserver 1.35", "kube-apiserver 1.36", "kube-controller-manager 1.34", "kube-controller-manager 1.35",
		"kube-controller-manager 1.36", "kube-scheduler 1.34", "kube-scheduler 1.35", "kube-scheduler 1.36", "etcd 3.5", "etcd 3.6"} {
		component, minor, _ := strings.Cut(table, " ")
		flags, err := Flags(component, minor)
		if err != nil {
			t.Fatal(err)
		}
		for _, flag := range flags {
			looks := slices.ContainsFunc([]string{"file", "cert", "config", "path", "-key"}, func(part string) bool { return strings.Contains(flag, part) })
			if looks && len(InputPaths(component, flag, "jwt,pub-key=/a")) == 0 && !slices.Contains(none, flag) {
				t.Errorf("%s: is the value of --%s a file that it reads?", table, flag)
			}
		}
	}
}

// An input names others by the fields of its kind; what no volume has, a socket, or a relative path is none of them.
func TestNamedInputs(t *testing.T) {
	t.Parallel()
	pod := testPod()
	pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "srv", MountPath: "/etc/srv"}}
	pod.Spec.Volumes = []corev1.Volume{{Name: "srv", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/srv"}}}}
	for text, want := range map[string][]string{
		"clusters: [{cluster: {certificate-authority: /etc/srv/ca.crt}}]\nusers: [{user: {client-key: /etc/srv/k, client-certificate: k.crt}}]": {"/srv/ca.crt", "/srv/k"},
		"plugins: [{name: A, path: /etc/srv/a.yaml}, {name: B, path: /elsewhere/b.yaml}]":                                                       {"/srv/a.yaml"},
		"authorizers: [{webhook: {connectionInfo: {kubeConfigFile: /etc/srv/w.conf}}}]":                                                         {"/srv/w.conf"},
		"resources: [{providers: [{kms: {endpoint: 'unix:///etc/srv/kms.sock'}}]}]":                                                             nil,
		"-----BEGIN CERTIFICATE-----": nil,
		"":                            nil,
		"\t{":                         nil,
	} {
		var got []string
		for _, input := range NamedInputs(pod, Input{Component: "etcd", Flag: "config"}, []byte(text)) {
			got = append(got, input.Host)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}
