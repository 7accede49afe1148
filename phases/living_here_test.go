package phases

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"tripod.dev/tripod/internal/config"
)

// Of a cluster that nobody can ask, what lies on a master tells enough to issue the same certificates again.
func TestConfigurationHere(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		documents, endpoint string
	}{
		"as it comes": {"", ""},
		"another's": {`controlPlaneEndpoint: lb.example.com:7443
networking: {serviceSubnet: 10.7.0.0/16, podSubnet: 10.8.0.0/16, dnsDomain: example.local}
apiServer: {certSANs: [api.example.com, 192.0.2.7]}
etcd: {local: {serverCertSANs: [etcd.example.com], peerCertSANs: [peer.example.com]}}
`, "lb.example.com:7443"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := grown(t, tt.documents)
			m := s.living(t)
			data, err := m.configurationHere()
			if err != nil {
				t.Fatal(err)
			}
			var got config.ClusterConfiguration
			if err := yaml.UnmarshalStrict(data, &got); err != nil {
				t.Fatal(err)
			}
			was := s.c.Cluster
			want := []string{"v1.36.3", s.c.Paths.PKI, tt.endpoint, "ECDSA-P256", was.Networking.ServiceSubnet, was.Networking.PodSubnet, was.Networking.DNSDomain, s.c.Paths.EtcdData}
			if diff := cmp.Diff(want, []string{got.KubernetesVersion, got.CertificatesDir, got.ControlPlaneEndpoint, got.EncryptionAlgorithm,
				got.Networking.ServiceSubnet, got.Networking.PodSubnet, got.Networking.DNSDomain, got.Etcd.Local.DataDir}); diff != "" {
				t.Error(diff)
			}
			here := config.Here{NodeName: "node-1", Advertise: s.c.Advertise, Loopback: s.c.Loopback}
			c, err := s.c.OfLiving(data, nil, here)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"apiserver", "etcd/server", "etcd/peer"} {
				if diff := cmp.Diff(namesOf(s.c, name), namesOf(c, name)); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
		})
	}
}

// namesOf are the names that a certificate is to have.
func namesOf(c config.Config, name string) []string {
	for _, r := range pkiRequests(c) {
		if r.Name == name {
			names := slices.Clone(r.Spec.DNSNames)
			for _, ip := range r.Spec.IPs {
				names = append(names, ip.String())
			}
			slices.Sort(names)
			return slices.Compact(names)
		}
	}
	return nil
}

func TestConfigurationOfNobody(t *testing.T) {
	t.Parallel()
	m := newStage(t, "").gather(t)
	m.Living = &Living{}
	_, err := m.configurationHere()
	mentions(t, err, "kube-apiserver.yaml names no version of Kubernetes")
}
