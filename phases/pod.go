package phases

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/manifests"
)

// common are the values that all four templates place.
type common struct {
	Image string
	// Cluster is the digest of the cluster's CA key, as --discovery-token-ca-cert-hash has it.
	Cluster string
	// Probe is where the component is asked for its health, by the kubelet or the agent and by its proof.
	Probe probe
	// StartupFailures are the failed startup probes, one every 10 s, after which the component is started anew.
	StartupFailures int
	// Binaries is where a sandbox's master has its programs; "" on a machine.
	Binaries string
	// Rootless is a sandbox's master: a host process with an address of its own that must not leave traces elsewhere.
	Rootless bool
}

func (m Master) common(component string, p probe) common {
	return common{
		Image:           m.Image(component),
		Cluster:         certs.Fingerprint(m.PKI.Pairs[clusterCA].Cert.PublicKey),
		Probe:           p,
		StartupFailures: int(math.Ceil(m.Health.Seconds() / 10)),
		Binaries:        m.Paths.Binaries,
		Rootless:        m.Rootless,
	}
}

// pod fills in the template, then adds what the user has asked for: arguments, volumes and variables, patches last.
func (m Master) pod(template string, values any, version config.Version, extra config.ControlPlaneComponent) (*corev1.Pod, error) {
	pod, err := manifests.Render(template, values)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(manifests.CheckArgs(pod.Name, version, extra.ExtraArgs)...); err != nil {
		return nil, err
	}
	container := manifests.Container(pod)
	container.Command = withArgs(container.Command, extra.ExtraArgs)
	container.Env = withEnvs(extra.ExtraEnvs)
	for _, v := range extra.ExtraVolumes {
		addVolume(&pod.Spec, v)
	}
	sortVolumes(&pod.Spec)
	return manifests.Patch(pod, pod.Name, m.Patches)
}

// UnknownArgs is an error of every extra argument that the configuration gives to a component that does not accept it.
func UnknownArgs(c config.Config) error {
	unknown := slices.Concat(
		manifests.CheckArgs("etcd", c.EtcdVersion, localEtcd(c).ExtraArgs),
		manifests.CheckArgs("kube-apiserver", c.Version, c.Cluster.APIServer.ExtraArgs),
		manifests.CheckArgs("kube-controller-manager", c.Version, c.Cluster.ControllerManager.ExtraArgs),
		manifests.CheckArgs("kube-scheduler", c.Version, c.Cluster.Scheduler.ExtraArgs))
	if len(unknown) == 0 {
		return nil
	}
	return multierror.Append(nil, unknown...)
}

// proxied adds the proxy variables that the component inherits; a variable that the user sets comes later and wins.
func (m Master) proxied(extra config.ControlPlaneComponent) config.ControlPlaneComponent {
	var envs []config.EnvVar
	for _, e := range m.ProxyEnv {
		envs = append(envs, config.EnvVar{Name: e.Name, Value: e.Value})
	}
	extra.ExtraEnvs = append(envs, extra.ExtraEnvs...)
	return extra
}

// withArgs appends extra arguments in the user's order, which means something to flags that repeat. They replace
// all defaults of the same name.
func withArgs(command []string, extra []config.Arg) []string {
	command = slices.DeleteFunc(command, func(arg string) bool {
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		return slices.ContainsFunc(extra, func(a config.Arg) bool { return a.Name == name })
	})
	for _, a := range extra {
		command = append(command, "--"+a.Name+"="+a.Value)
	}
	return command
}

// withEnvs are the variables by name; of two with the same name the later counts.
func withEnvs(envs []config.EnvVar) []corev1.EnvVar {
	byName := map[string]corev1.EnvVar{}
	for _, e := range envs {
		byName[e.Name] = corev1.EnvVar{Name: e.Name, Value: e.Value}
	}
	var all []corev1.EnvVar
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, byName[name])
	}
	return all
}

// addVolume mounts a path of the host, in the place of an earlier volume of that name.
func addVolume(spec *corev1.PodSpec, v config.HostPathMount) {
	source := &corev1.HostPathVolumeSource{Path: v.HostPath}
	if v.PathType != "" {
		source.Type = new(corev1.HostPathType(v.PathType))
	}
	mounts := &spec.Containers[0].VolumeMounts
	spec.Volumes = slices.DeleteFunc(spec.Volumes, func(old corev1.Volume) bool { return old.Name == v.Name })
	*mounts = slices.DeleteFunc(*mounts, func(old corev1.VolumeMount) bool { return old.Name == v.Name })
	spec.Volumes = append(spec.Volumes, corev1.Volume{Name: v.Name, VolumeSource: corev1.VolumeSource{HostPath: source}})
	*mounts = append(*mounts, corev1.VolumeMount{Name: v.Name, MountPath: v.MountPath, ReadOnly: v.ReadOnly})
}

// sortVolumes orders volumes by name, as kubeadm does, wherever they came from.
func sortVolumes(spec *corev1.PodSpec) {
	slices.SortFunc(spec.Volumes, func(a, b corev1.Volume) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(spec.Containers[0].VolumeMounts, func(a, b corev1.VolumeMount) int { return cmp.Compare(a.Name, b.Name) })
}

// A bundle is a directory of the host with certificates of public authorities.
type bundle struct{ Name, Path string }

// bundles are /etc/ssl/certs and the directories that it may have links into. Processes on the host need none.
func (m Master) bundles() []bundle {
	if m.Rootless {
		return nil
	}
	all := []bundle{{"ca-certs", "/etc/ssl/certs"}}
	for _, dir := range m.Survey.CABundleDirs {
		if dir != all[0].Path {
			all = append(all, bundle{strings.ReplaceAll(strings.Trim(dir, "/"), "/", "-"), dir})
		}
	}
	return all
}
