package manifests

import (
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// An Input is a file that a component reads because a flag of its command names it.
type Input struct {
	// Component is the container's name, Flag the flag's as it is spelt in the tables of flags.
	Component, Flag string
	// Path is where the component knows the file; Host is where that lies on the machine, "" if no volume of the host has it.
	Path, Host string
}

// Inputs are the files that the commands of a pod name, in the order of their flags.
func Inputs(pod *corev1.Pod) []Input {
	var inputs []Input
	for _, c := range pod.Spec.Containers {
		for _, arg := range arguments(c) {
			for _, path := range InputPaths(c.Name, arg.name, arg.value) {
				inputs = append(inputs, Input{c.Name, normal(c.Name, arg.name), path, OnHost(&pod.Spec, c.VolumeMounts, path)})
			}
		}
	}
	return inputs
}

// InputPaths are the files that a component reads when this flag has this value; none if the flag names none, or names what is
// written (a log, a directory of data).
func InputPaths(component, flag, value string) []string {
	var paths []string
	switch flag = normal(component, flag); {
	case value == "":
	case component == "etcd" && flag == "auth-token":
		paths = jwtKeys(value)
	case flag == "tls-sni-cert-key":
		files, _, _ := strings.Cut(value, ":") // the names that it is shown for
		paths = strings.Split(files, ",")
	case slices.Contains(inputFlags(component), flag):
		paths = []string{value}
	}
	return slices.DeleteFunc(paths, func(path string) bool { return path == "" })
}

// jwtKeys are the key files in etcd's auth-token: jwt,pub-key=FILE,priv-key=FILE,sign-method=RS512.
func jwtKeys(value string) []string {
	var paths []string
	for _, option := range strings.Split(value, ",") {
		if name, path, _ := strings.Cut(option, "="); name == "pub-key" || name == "priv-key" {
			paths = append(paths, path)
		}
	}
	return paths
}

// inputFlags are the flags of a component whose value is one file that it reads, of all versions that tripod supports. A flag
// that each component has by k8s.io/apiserver's options is in serverInputs.
func inputFlags(component string) []string {
	switch component {
	case "etcd":
		return []string{
			"cert-file", "client-cert-file", "client-crl-file", "client-key-file", "config-file", "key-file",
			"peer-cert-file", "peer-client-cert-file", "peer-client-key-file", "peer-crl-file", "peer-key-file",
			"peer-trusted-ca-file", "trusted-ca-file", "discovery-cacert", "discovery-cert", "discovery-key",
		}
	case "kube-apiserver":
		return append(serverInputs(),
			"admission-control-config-file", "audit-policy-file", "audit-webhook-config-file", "authentication-config",
			"authentication-token-webhook-config-file", "authorization-config", "authorization-policy-file",
			"authorization-webhook-config-file", "egress-selector-config-file", "encryption-provider-config", "etcd-cafile",
			"etcd-certfile", "etcd-keyfile", "kubelet-certificate-authority", "kubelet-client-certificate", "kubelet-client-key",
			"oidc-ca-file", "peer-ca-file", "proxy-client-cert-file", "proxy-client-key-file", "service-account-key-file",
			"service-account-signing-key-file", "token-auth-file", "tracing-config-file")
	case "kube-controller-manager":
		return append(serverInputs(),
			"authentication-kubeconfig", "authorization-kubeconfig", "cloud-config", "cluster-signing-cert-file",
			"cluster-signing-key-file", "cluster-signing-kube-apiserver-client-cert-file",
			"cluster-signing-kube-apiserver-client-key-file", "cluster-signing-kubelet-client-cert-file",
			"cluster-signing-kubelet-client-key-file", "cluster-signing-kubelet-serving-cert-file",
			"cluster-signing-kubelet-serving-key-file", "cluster-signing-legacy-unknown-cert-file",
			"cluster-signing-legacy-unknown-key-file", "kubeconfig", "leader-migration-config",
			"pv-recycler-pod-template-filepath-hostpath", "pv-recycler-pod-template-filepath-nfs", "root-ca-file",
			"service-account-private-key-file")
	case "kube-scheduler":
		return append(serverInputs(), "authentication-kubeconfig", "authorization-kubeconfig", "config", "kubeconfig")
	}
	return nil
}

func serverInputs() []string {
	return []string{"client-ca-file", "requestheader-client-ca-file", "tls-cert-file", "tls-private-key-file"}
}

// OnHost is where a path that a container knows lies on the machine, "" if no volume of the host has it.
func OnHost(spec *corev1.PodSpec, mounts []corev1.VolumeMount, path string) string {
	mount := Mounted(mounts, path)
	if mount == nil {
		return ""
	}
	for _, v := range spec.Volumes {
		if v.Name == mount.Name && v.HostPath != nil {
			rest, _ := filepath.Rel(mount.MountPath, path)
			return filepath.Join(v.HostPath.Path, mount.SubPath, rest)
		}
	}
	return ""
}

// Mounted is the mount that has a path of the container, nil if it is in the image. Of mounts one below the other it is the
// deepest.
func Mounted(mounts []corev1.VolumeMount, path string) *corev1.VolumeMount {
	var deepest *corev1.VolumeMount
	for i, mount := range mounts {
		rest, err := filepath.Rel(mount.MountPath, path)
		if err != nil || !filepath.IsLocal(rest) {
			continue
		}
		if deepest == nil || len(filepath.Clean(mount.MountPath)) > len(filepath.Clean(deepest.MountPath)) {
			deepest = &mounts[i]
		}
	}
	return deepest
}

type argument struct{ name, value string }

// arguments are the flags of a container's command in their order: --name=value, and --name value where the value is no flag.
func arguments(c corev1.Container) []argument {
	var all []argument
	words := slices.Concat(c.Command, c.Args)
	for i, word := range words {
		if !strings.HasPrefix(word, "-") {
			continue
		}
		name, value, found := strings.Cut(strings.TrimLeft(word, "-"), "=")
		if !found && i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
			value = words[i+1]
		}
		all = append(all, argument{name, value})
	}
	return all
}
