package phases

import (
	"net/netip"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/config"
)

func etcdArg(name, value string) func(*Master) {
	return func(m *Master) { m.Cluster.Etcd.Local.ExtraArgs = []config.Arg{{Name: name, Value: value}} }
}

// What names one machine, or none, is found before anything is written.
func TestFindingsOfArguments(t *testing.T) {
	t.Parallel()
	has := func(m *Master) {
		m.EtcdVersion = config.Version{Major: 3, Minor: 6, Patch: 8}
		m.Survey.Addresses = []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.9.0.1")}
	}
	kubelet := func(value string) func(*Master) {
		return func(m *Master) { m.Node.Registration.KubeletExtraArgs = []config.Arg{{Name: "node-ip", Value: value}} }
	}
	controllers := func(value string) func(*Master) {
		return func(m *Master) {
			m.Cluster.ControllerManager.ExtraArgs = []config.Arg{{Name: "controllers", Value: value}}
		}
	}
	for name, tt := range map[string]struct {
		change func(*Master)
		find   func(Master) []finding
		want   string // what is said; what begins with ~ only warns
	}{
		"no arguments":           {func(*Master) {}, addressesOurs, ""},
		"another's client URL":   {etcdArg("listen-client-urls", "https://127.0.0.1:2379,https://10.0.0.7:2379"), addressesOurs, "etcd.local.extraArgs: listen-client-urls=https://127.0.0.1:2379,https://10.0.0.7:2379, and 10.0.0.7 is no address of this machine, 10.0.0.1"},
		"another's peer URL":     {etcdArg("initial-advertise-peer-urls", "https://10.0.0.7:2380"), addressesOurs, "initial-advertise-peer-urls"},
		"its own second address": {etcdArg("listen-peer-urls", "https://10.9.0.1:2380"), addressesOurs, ""},
		"everywhere":             {etcdArg("listen-client-urls", "https://0.0.0.0:2379"), addressesOurs, ""},
		"another's name":         {etcdArg("name", "node-7"), addressesOurs, "etcd.local.extraArgs: name=node-7, and this machine is node-1"},
		"another's members":      {etcdArg("initial-cluster", "node-7=https://10.0.0.7:2380"), addressesOurs, "initial-cluster=node-7"},
		"another's apiserver": {func(m *Master) {
			m.Cluster.APIServer.ExtraArgs = []config.Arg{{Name: "advertise-address", Value: "10.0.0.7"}}
		}, addressesOurs, "apiServer.extraArgs: advertise-address=10.0.0.7"},
		"another's scheduler": {func(m *Master) {
			m.Cluster.Scheduler.ExtraArgs = []config.Arg{{Name: "bind-address", Value: "10.0.0.7"}}
		}, addressesOurs, "scheduler.extraArgs: bind-address=10.0.0.7"},
		"a patch mends it":        {func(m *Master) { etcdArg("name", "node-7")(m); patchName(t, m) }, addressesOurs, ""},
		"node-ip":                 {kubelet("10.0.0.1"), nodeIP, ""},
		"node-ip of two families": {kubelet("10.0.0.1,fd00::1"), nodeIP, "no interface of this machine has fd00::1"},
		"node-ip of nobody":       {kubelet("10.0.0.7"), nodeIP, "nodeRegistration.kubeletExtraArgs: node-ip=10.0.0.7, and no interface of this machine has 10.0.0.7"},
		"node-ip elsewhere":       {kubelet("10.9.0.1"), nodeIP, "~this master is reached at 10.0.0.1"},
		"node-ip of its choice":   {kubelet("::"), nodeIP, ""},
		"all controllers":         {func(*Master) {}, controllersRun, ""},
		"controllers=*":           {controllers("*"), controllersRun, "~controllers=* does not run bootstrapsigner and tokencleaner"},
		"half of them":            {controllers("*,bootstrap-signer-controller,-tokencleaner"), controllersRun, "~does not run tokencleaner"},
		"a name":                  {func(*Master) {}, nodeName, ""},
		"the longest name":        {func(m *Master) { m.Node.Registration.Name = strings.Repeat("a", 63) }, nodeName, ""},
		"a long name":             {func(m *Master) { m.Node.Registration.Name = strings.Repeat("a.b", 22) }, nodeName, "has 66 bytes: it is the value of a label"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := tt.find(joiningMaster(nil, has, tt.change))
			want, warns := strings.CutPrefix(tt.want, "~")
			switch {
			case want == "" && len(found) > 0:
				t.Errorf("found %v", found)
			case want != "" && (len(found) != 1 || !strings.Contains(found[0].Error(), want) || found[0].harmless != warns):
				t.Errorf("found %v, want %s", found, tt.want)
			}
		})
	}
}

// patchName has a patch give etcd this machine's own name.
func patchName(t *testing.T, m *Master) {
	pod, err := etcdPod(*m)
	if err != nil {
		t.Fatal(err)
	}
	patched(t, `{spec: {containers: [{name: etcd, command: [`+strings.ReplaceAll(`"`+strings.Join(pod.Spec.Containers[0].Command, `","`)+`"`, "--name=node-7", "--name=node-1")+`]}]}}`)(m)
	m.Patches[0].Target = "etcd"
}
