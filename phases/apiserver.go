package phases

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/templates"
)

// apiserverValues are what the template of the apiserver places.
type apiserverValues struct {
	common
	// AdvertiseAddress and SecurePort are where others reach this apiserver; Endpoint is both.
	AdvertiseAddress, Endpoint string
	SecurePort                 int
	EtcdServers                string
	DNSDomain, ServiceSubnet   string
	// AuthorizationConfig says that the user has a file with authorizers, which excludes the flag.
	AuthorizationConfig bool
	// ShutdownDelay is how long it answers on while its readyz fails already; "" where nobody looks at that.
	ShutdownDelay string
	Bundles       []bundle
	PKI           string
}

func (m Master) apiserverValues() apiserverValues {
	net, args := m.Cluster.Networking, m.Cluster.APIServer.ExtraArgs
	return apiserverValues{
		common:              m.common("kube-apiserver", m.apiserverProbe()),
		AdvertiseAddress:    m.Advertise.Addr().String(),
		Endpoint:            m.Advertise.String(),
		SecurePort:          int(m.Advertise.Port()),
		EtcdServers:         argument(localEtcd(m.Config).ExtraArgs, "advertise-client-urls", etcdURL(m.Loopback, etcdClientPort)),
		DNSDomain:           net.DNSDomain,
		ServiceSubnet:       net.ServiceSubnet,
		AuthorizationConfig: argument(args, "authorization-config", "") != "",
		ShutdownDelay:       m.shutdownDelay(),
		Bundles:             m.bundles(),
		PKI:                 m.Paths.PKI,
	}
}

// sendRetryAfter is the flag by which an apiserver that is about to end listens until it has answered what it was asked, and has
// others try again (genericapiserver.go).
const sendRetryAfter = "shutdown-send-retry-after"

// shutdownDelay is the time that a balancer in front of several masters has to notice that one is about to end: an apiserver
// refuses requests on connections that it has, once it has stopped to listen. A sandbox's balancer looks more often.
func (m Master) shutdownDelay() string {
	switch {
	case m.Cluster.ControlPlaneEndpoint == "":
		return ""
	case m.Rootless:
		return "1s"
	}
	return "5s"
}

// apiserverProbe is the advertised address: the apiserver listens at all, or in a sandbox at that one only.
func (m Master) apiserverProbe() probe {
	p := secureProbe(m.Cluster.APIServer.ExtraArgs, m.Advertise)
	if p.Host == "" {
		p.Host = m.Advertise.Addr().String()
	}
	return p
}

// apiserverPod is the apiserver's pod.
func apiserverPod(m Master) (*corev1.Pod, error) {
	return m.pod(templates.APIServer(), m.apiserverValues(), m.Version, m.proxied(m.Cluster.APIServer.ControlPlaneComponent))
}

// apiserverManifest wants the apiserver's manifest.
func apiserverManifest(m Master) ([]Change, error) {
	pod, err := apiserverPod(m)
	if err != nil {
		return nil, err
	}
	return m.manifest(pod)
}

// proveAPIServer asks as an administrator, as before the bootstrap of RBAC anonymous requests are forbidden, and nobody would
// learn by them which check fails; then as the kubelet does, who will judge by the answer.
func proveAPIServer(ctx context.Context, p *Prober) error {
	return p.attempt(ctx, "kube-apiserver", func() error {
		if err := p.get(ctx, "kube-apiserver", p.master.apiserverProbe().url(p.master.Loopback, "/readyz")); err != nil {
			return p.forbidden(err, "administrators have lost their rights: tripod kubeconfig and tripod init phase bootstrap-token give them back, "+
				"or by super-admin.conf a ClusterRoleBinding of the group kubeadm:cluster-admins to cluster-admin")
		}
		return p.asKubelet(ctx)
	})
}
