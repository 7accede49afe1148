package config_test

import (
	"errors"
	"testing"

	"github.com/hashicorp/go-multierror"

	"tripod.dev/tripod/internal/config"
)

// What a file may hold wrongly, whatever its values mean.
func TestBadDocuments(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, want string }{
		"empty": {"", "init.yaml: no document was found in the file\n" +
			"  hint: tripod config print init-defaults shows what one looks like"},
		"comments only": {"# nothing\n---\n# here\n", "init.yaml: no document was found in the file\n" +
			"  hint: tripod config print init-defaults shows what one looks like"},
		"not for init": {"apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n",
			"init.yaml: there is neither an InitConfiguration nor a ClusterConfiguration\n" +
				"  hint: tripod config print init-defaults shows what one looks like"},
		"not YAML":      {initKind + "a: b: c\n", "init.yaml: document 1, line 3: not YAML: mapping values are not allowed in this context"},
		"not a mapping": {"- a\n", "init.yaml: document 1, line 1: a document must be a mapping, but is a list"},
		"no kind":       {"apiVersion: v1\n", "init.yaml: document 1, line 1: kind: every document needs an apiVersion and a kind"},
		"unknown kind": {"apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfigurations\n",
			"init.yaml: document 1, line 2: kind: \"InitConfigurations\" is not known\n  hint: did you mean InitConfiguration?"},
		"another kind": {"apiVersion: v1\nkind: Pod\n",
			"init.yaml: document 1, line 2: kind: \"Pod\" is not known\n" +
				"  hint: known are InitConfiguration, ClusterConfiguration, JoinConfiguration, UpgradeConfiguration, ResetConfiguration, KubeletConfiguration, KubeProxyConfiguration"},
		"old version": {"apiVersion: kubeadm.k8s.io/v1beta2\nkind: InitConfiguration\n",
			"init.yaml: document 1, line 1: apiVersion: \"kubeadm.k8s.io/v1beta2\" is not read\n" +
				"  hint: tripod reads InitConfiguration as kubeadm.k8s.io/v1beta4"},
		"kind twice": {initKind + "---\n" + initKind,
			"init.yaml: document 2, line 5: kind: InitConfiguration is given twice, first in document 1"},
		"unknown field": {clusterKind + "networking:\n  podSubnets: 10.0.0.0/16\n",
			"init.yaml: document 1, line 4: networking.podSubnets: unknown field\n  hint: did you mean podSubnet?"},
		"unknown field in a list": {clusterKind + "etcd:\n  local:\n    extraArgs:\n    - name: a\n      value: b\n      nmae: c\n",
			"init.yaml: document 1, line 8: etcd.local.extraArgs[0].nmae: unknown field\n  hint: did you mean name?"},
		"case": {clusterKind + "etcd:\n  local:\n    dataDIR: /d\n",
			"init.yaml: document 1, line 5: etcd.local.dataDIR: unknown field\n  hint: did you mean dataDir?"},
		"field of the other document": {initKind + "networking: {}\n",
			"init.yaml: document 1, line 3: networking: unknown field\n  hint: it is a field of ClusterConfiguration"},
		"nothing near": {initKind + "colour: red\n", "init.yaml: document 1, line 3: colour: unknown field"},
		"duplicate field": {clusterKind + "clusterName: a\nclusterName: b\n",
			"init.yaml: document 1, line 4: clusterName: given twice, first in line 3"},
		"duplicate kind": {clusterKind + "kind: ClusterConfiguration\n",
			"init.yaml: document 1, line 3: kind: given twice, first in line 2"},
		"duplicate field, deep in a document passed through": {clusterKind + kubelet + "evictionHard:\n  memory.available: 1\n  memory.available: 2\n",
			"init.yaml: document 2, line 8: evictionHard.memory.available: given twice, first in line 7"},
		"duplicate field in a document set aside": {clusterKind + "---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\ndiscovery: {file: {}, file: {}}\n",
			"init.yaml: document 2, line 6: discovery.file: given twice, first in line 6"},
		"number for text": {clusterKind + "kubernetesVersion: 1.36\n",
			"init.yaml: document 1, line 3: kubernetesVersion: must be text, but is a number\n  hint: put it in quotes"},
		"text for a number": {initKind + "localAPIEndpoint:\n  bindPort: \"6443\"\n",
			"init.yaml: document 1, line 4: localAPIEndpoint.bindPort: must be a whole number, but is text"},
		"number too large": {initKind + "localAPIEndpoint: {bindPort: 99999999999}\n",
			"init.yaml: document 1, line 3: localAPIEndpoint.bindPort: the number is out of range"},
		"text for a flag":       {initKind + "dryRun: maybe\n", "init.yaml: document 1, line 3: dryRun: must be true or false, but is text"},
		"text for a list":       {initKind + "skipPhases: preflight\n", "init.yaml: document 1, line 3: skipPhases: must be a list, but is text"},
		"mapping for arguments": {clusterKind + "scheduler:\n  extraArgs: {v: \"4\"}\n", "init.yaml: document 1, line 4: scheduler.extraArgs: must be a list, but is a mapping"},
		"text for an argument":  {clusterKind + "scheduler:\n  extraArgs: [v=4]\n", "init.yaml: document 1, line 4: scheduler.extraArgs[0]: must be a mapping, but is text"},
		"duration": {initKind + "timeouts:\n  etcdAPICall: 5 minutes\n",
			"init.yaml: document 1, line 4: timeouts.etcdAPICall: must be a duration such as 4m0s, but is text"},
		"duration without a unit": {initKind + "timeouts: {etcdAPICall: 300}\n",
			"init.yaml: document 1, line 3: timeouts.etcdAPICall: must be a duration such as 4m0s, but is a number"},
		"time": {initKind + "bootstrapTokens:\n- token: abcdef.0123456789abcdef\n  expires: tomorrow\n",
			"init.yaml: document 1, line 5: bootstrapTokens[0].expires: must be a time such as 2030-01-31T12:00:00Z, but is text"},
		"merge key": {clusterKind + "dns: &d {disabled: true}\nproxy: {<<: *d}\n",
			"init.yaml: document 1, line 4: proxy: the keys of a mapping are plain names\n  hint: write the fields out instead of merging them"},
		"alias of itself": {clusterKind + kubelet + "x: &x [*x, *x]\n",
			"init.yaml: document 2, line 6: the file holds more than 100000 values, or values more than 100 deep"},
		"aliases of aliases": {clusterKind + kubelet + "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
			"init.yaml: document 2, line 6: the file holds more than 100000 values, or values more than 100 deep"},
		"not a number of JSON": {clusterKind + kubelet + "x: .nan\n",
			"init.yaml: document 2, line 6: x: is not a finite number"},
		"all at once, in order": {initKind + "dryRun: 3\nlocalAPIEndpoint: {bindPort: 70000}\ncolour: red\n---\n" + clusterKind + "networking: {podSubnet: x, serviceSubnet: 10.0.0.1/8}\n",
			"init.yaml: document 1, line 3: dryRun: must be true or false, but is a number\n" +
				"init.yaml: document 1, line 4: localAPIEndpoint.bindPort: 70000 is not a port: 1 to 65535\n" +
				"init.yaml: document 1, line 5: colour: unknown field\n" +
				"init.yaml: document 2, line 9: networking.serviceSubnet: 10.0.0.1/8 has bits set after its prefix\n  hint: write 10.0.0.0/8\n" +
				"init.yaml: document 2, line 9: networking.podSubnet: \"x\" is not a subnet\n  hint: write it as 10.96.0.0/12, two of them with only a comma between"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := config.Load([]byte(test.file), "init.yaml", config.Overrides{}, machine())
			equal(t, test.want, message(err))
		})
	}
}

// What a document that could not be read may have said is not complained about.
func TestUnreadDocument(t *testing.T) {
	t.Parallel()
	_, _, err := config.Load([]byte("apiVersion: kubeadm.k8s.io/v1beta2\nkind: InitConfiguration\n"), "init.yaml", config.Overrides{}, config.Machine{})
	equal(t, "init.yaml: document 1, line 1: apiVersion: \"kubeadm.k8s.io/v1beta2\" is not read\n"+
		"  hint: tripod reads InitConfiguration as kubeadm.k8s.io/v1beta4", message(err))
}

func TestComplaintsAreFound(t *testing.T) {
	t.Parallel()
	_, _, err := config.Load([]byte(clusterKind+"clusterName: [a]\ndns: 3\n"), "init.yaml", config.Overrides{}, machine())
	var all *multierror.Error
	if !errors.As(err, &all) {
		t.Fatalf("%T is no multierror", err)
	}
	equal(t, []error{
		config.Complaint{Source: "init.yaml", Document: 1, Line: 3, Field: "clusterName", Problem: "must be text, but is a list"},
		config.Complaint{Source: "init.yaml", Document: 1, Line: 4, Field: "dns", Problem: "must be a mapping, but is a number"},
	}, all.Errors)
	var first config.Complaint
	if !errors.As(err, &first) {
		t.Errorf("no complaint in %v", err)
	}
}
