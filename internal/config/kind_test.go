package config_test

import (
	"os"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/config"
)

// What kind v0.30 (v1beta3) and v0.33 (v1beta4) write: five documents, the same file for init and for join.
func TestKindFiles(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"kind-v0.30", "kind-v0.33"} {
		for node, want := range map[string]struct {
			endpoint, advertise, labels, config string
			skips                               []string
		}{
			"control-plane": {"kind-control-plane:6443", "172.18.0.2:6443", "", "", []string{"preflight"}},
			"worker":        {"kind-control-plane:6443", "172.18.0.2:6443", "", "", []string{"preflight"}},
			"ipv6":          {"kind-external-load-balancer:6443", "[fc00:f853:ccd:e793::2]:6443", "a=b,c=d", "api/alpha=false", []string{"preflight", "addon/kube-proxy"}},
		} {
			t.Run(kind+" "+node, func(t *testing.T) {
				t.Parallel()
				data, err := os.ReadFile("testdata/" + kind + "-" + node + ".yaml")
				equal(t, "", message(err))
				c, warnings, err := config.Load(data, "kubeadm.conf", config.Overrides{SkipTokenPrint: true}, machine())
				equal(t, "", message(err))
				equal(t, kind == "kind-v0.30", strings.Contains(strings.Join(warnings, ""), "v1beta3 is deprecated\n  hint: tripod config migrate"))
				equal(t, want.endpoint, c.Endpoint)
				equal(t, want.advertise, c.Advertise.String())
				equal(t, want.skips, c.Node.SkipPhases)
				equal(t, want.labels, value(c.Node.Registration.KubeletExtraArgs, "node-labels"))
				equal(t, want.config, value(c.Cluster.APIServer.ExtraArgs, "runtime-config"))
				equal(t, false, c.TokenDrawn)
				equal(t, any(false), c.Kubelet["failCgroupV1"])
				equal(t, "", message(validate(data, "kubeadm.conf")))

				j, _, err := config.LoadJoin(data, "kubeadm.conf", config.JoinOverrides{}, machine())
				equal(t, "", message(err))
				equal(t, node != "worker", j.Join.ControlPlane != nil)
				equal(t, want.endpoint, j.Join.Discovery.BootstrapToken.APIServerEndpoint)
				equal(t, 3, len(j.Node.Registration.KubeletExtraArgs))
				equal(t, want.labels, value(j.Node.Registration.KubeletExtraArgs, "node-labels"))
			})
		}
	}
}

// value is that of the argument, or says that there is none.
func value(args []config.Arg, name string) string {
	for _, arg := range args {
		if arg.Name == name {
			return arg.Value
		}
	}
	return "no such argument"
}
