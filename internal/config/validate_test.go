package config_test

import (
	"net/netip"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/config"
)

// What values may not be. Each complaint is in document 1; want is what follows the line.
func TestBadValues(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, want string }{
		"external etcd": {clusterKind + "etcd:\n  external:\n    endpoints: [https://10.0.0.1:2379]\n    caFile: /a\n    certFile: /b\n    keyFile: /c\n",
			"5: etcd.external: tripod runs an etcd member on every master, not an external etcd\n  hint: remove the field; kubeadm runs clusters with an external etcd"},
		"relative data directory": {clusterKind + "etcd:\n  local:\n    dataDir: etcd\n", `5: etcd.local.dataDir: "etcd" is not an absolute path`},
		"image tag":               {clusterKind + "etcd:\n  local:\n    imageTag: \"3 6\"\n", `5: etcd.local.imageTag: "3 6" is not an image tag`},
		"image repository": {clusterKind + "imageRepository: https://registry\n",
			"3: imageRepository: \"https://registry\" is not an image repository\n  hint: write it as registry.k8s.io or my.registry:5000/k8s"},
		"certificates directory": {clusterKind + "certificatesDir: ./pki\n", `3: certificatesDir: "./pki" is not an absolute path`},
		"algorithm": {clusterKind + "encryptionAlgorithm: RSA-1024\n",
			"3: encryptionAlgorithm: \"RSA-1024\" is not known\n  hint: it is one of RSA-2048, RSA-3072, RSA-4096, ECDSA-P256, ECDSA-P384"},
		"validity":          {clusterKind + "certificateValidityPeriod: 0s\n", "3: certificateValidityPeriod: 0s is not more than 0"},
		"gate with a field": {clusterKind + "featureGates:\n  PublicKeysECDSA: true\n", "4: featureGates.PublicKeysECDSA: is replaced by a field\n  hint: write encryptionAlgorithm: ECDSA-P256"},
		"rootless": {clusterKind + "featureGates:\n  RootlessControlPlane: true\n",
			"4: featureGates.RootlessControlPlane: is not supported: the components run as root in their containers\n  hint: remove the gate"},
		"gate": {clusterKind + "featureGates:\n  Nothing: false\n",
			"4: featureGates.Nothing: unknown feature gate\n  hint: gates of Kubernetes itself are set by feature-gates in extraArgs"},
		"version": {clusterKind + "kubernetesVersion: v1.33.1\n", "3: kubernetesVersion: v1.33.1 is not supported\n  hint: tripod runs 1.34, 1.35, 1.36"},
		"label": {clusterKind + "kubernetesVersion: latest\n",
			"3: kubernetesVersion: \"latest\" is not a version such as v1.36.3\n  hint: or a label: stable, stable-1, stable-1.34, stable-1.35, stable-1.36"},
		"DNS domain":   {clusterKind + "networking:\n  dnsDomain: Cluster_Local\n", `4: networking.dnsDomain: "Cluster_Local" is not a DNS domain in lower case`},
		"cluster name": {clusterKind + "clusterName: my cluster\n", "3: clusterName: must be 1 to 253 characters without spaces"},
		"endpoint": {clusterKind + "controlPlaneEndpoint: https://lb:6443\n",
			"3: controlPlaneEndpoint: \"https://lb:6443\" is not a host name or an IP address, with or without a port\n  hint: write it without \"https://\""},
		"endpoint port": {clusterKind + "controlPlaneEndpoint: lb:70000\n",
			`3: controlPlaneEndpoint: "lb:70000" is not a host name or an IP address, with or without a port`},
		"SAN": {clusterKind + "apiServer:\n  certSANs: [a.b, 10.0.0.256]\n",
			`4: apiServer.certSANs[1]: "10.0.0.256" is not an IP address, a DNS name, or a DNS name that begins with *.`},
		"SAN of a peer": {clusterKind + "etcd:\n  local:\n    peerCertSANs: [\"*\"]\n",
			`5: etcd.local.peerCertSANs[0]: "*" is not an IP address, a DNS name, or a DNS name that begins with *.`},
		"argument without a name": {clusterKind + "apiServer:\n  extraArgs:\n  - value: a\n", "5: apiServer.extraArgs[0].name: must not be empty"},
		"argument with dashes": {clusterKind + "apiServer:\n  extraArgs:\n  - {name: --v=4, value: a}\n",
			"5: apiServer.extraArgs[0].name: \"--v=4\" begins with a dash\n  hint: write the name without dashes: v"},
		"argument with its value": {clusterKind + "scheduler:\n  extraArgs:\n  - {name: v=4, value: \"\"}\n",
			"5: scheduler.extraArgs[0].name: \"v=4\" is more than a name\n  hint: what follows the name belongs into value"},
		"kubelet argument": {initKind + "nodeRegistration:\n  kubeletExtraArgs:\n  - {name: -v, value: \"4\"}\n",
			"5: nodeRegistration.kubeletExtraArgs[0].name: \"-v\" begins with a dash\n  hint: write the name without dashes: v"},
		"variable": {clusterKind + "scheduler:\n  extraEnvs: [{name: A=B}]\n", `4: scheduler.extraEnvs[0].name: "A=B" is not the name of an environment variable`},
		"variable from elsewhere": {clusterKind + "scheduler:\n  extraEnvs: [{name: A, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}]\n",
			"4: scheduler.extraEnvs[0].valueFrom: a static pod can not refer to other objects\n  hint: write the value itself into value"},
		"volume": {clusterKind + "scheduler:\n  extraVolumes: [{name: A_B, hostPath: a, mountPath: /b, pathType: Pipe}]\n",
			"4: scheduler.extraVolumes[0].hostPath: \"a\" is not an absolute path\n" +
				"4: scheduler.extraVolumes[0].pathType: \"Pipe\" is not known\n  hint: it is one of DirectoryOrCreate, Directory, FileOrCreate, File, Socket, CharDevice, BlockDevice\n" +
				"4: scheduler.extraVolumes[0].name: \"A_B\" is not a DNS label (a-z, 0-9 and -)"},
		"volume twice": {clusterKind + "scheduler:\n  extraVolumes:\n  - {name: a, hostPath: /a, mountPath: /a}\n  - {name: a, hostPath: /b, mountPath: /b}\n",
			`6: scheduler.extraVolumes[1].name: "a" is the name of scheduler.extraVolumes[0] as well`},
		"static pods": {clusterKind + kubelet + "staticPodPath: /srv/pods\n", "init.yaml: document 2: staticPodPath: the kubelet looks for static pods in \"/srv/pods\", and the manifests of a master are in /etc/kubernetes/manifests\n" +
			"  hint: leave it out, or write /etc/kubernetes/manifests"},
		"static pods where they are": {clusterKind + kubelet + "staticPodPath: /etc/kubernetes/manifests/\n", ""},
		"node name":                  {initKind + "nodeRegistration: {name: a_b}\n", "3: nodeRegistration.name: \"a_b\" is not a DNS name (a-z, 0-9, - and .)\n  hint: give another with --node-name"},
		"socket":                     {initKind + "nodeRegistration: {criSocket: tcp://1.2.3.4}\n", `3: nodeRegistration.criSocket: "tcp://1.2.3.4" is not of the form unix:///path`},
		"pull policy":                {initKind + "nodeRegistration: {imagePullPolicy: never}\n", "3: nodeRegistration.imagePullPolicy: \"never\" is not known\n  hint: it is one of Always, IfNotPresent, Never"},
		"all and more":               {initKind + "nodeRegistration: {ignorePreflightErrors: [ALL, Swap]}\n", "3: nodeRegistration.ignorePreflightErrors: \"all\" leaves nothing for others to name\n  hint: give all alone, or name the checks"},
		"taint": {initKind + "nodeRegistration:\n  taints:\n  - {key: a b, effect: No}\n  - {key: a, effect: NoExecute}\n  - {key: a, value: c, effect: NoExecute}\n",
			"5: nodeRegistration.taints[0].key: \"a b\" is not a label key\n" +
				"5: nodeRegistration.taints[0].effect: \"No\" is not known\n  hint: it is one of NoSchedule, PreferNoSchedule, NoExecute\n" +
				"7: nodeRegistration.taints[2]: the taint a:NoExecute is given twice"},
		"empty phase":     {initKind + "skipPhases: [\"\"]\n", "3: skipPhases[0]: must not be empty"},
		"certificate key": {initKind + "certificateKey: 0123\n", "3: certificateKey: must be text, but is a number\n  hint: put it in quotes"},
		"short key":       {initKind + "certificateKey: \"0123\"\n", "3: certificateKey: must be 32 bytes in hex: 64 digits 0-9, a-f"},
		"timeout":         {initKind + "timeouts: {discovery: -1s}\n", "3: timeouts.discovery: -1s is not more than 0"},
		"token": {initKind + "bootstrapTokens:\n- token: abc\n",
			"4: bootstrapTokens[0].token: is not of the form abcdef.0123456789abcdef: 6 and 16 of a-z and 0-9"},
		"token twice": {initKind + "bootstrapTokens:\n- token: abcdef.0123456789abcdef\n- token: abcdef.0000000000000000\n",
			"5: bootstrapTokens[1].token: the part before the dot is that of another token"},
		"token's end twice": {initKind + "bootstrapTokens:\n- token: abcdef.0123456789abcdef\n  ttl: 1h\n  expires: 2030-01-01T00:00:00Z\n",
			"4: bootstrapTokens[0]: ttl and expires exclude each other\n  hint: keep one of them"},
		"token's usage": {initKind + "bootstrapTokens:\n- token: abcdef.0123456789abcdef\n  usages: [sign]\n  groups: [system:masters]\n",
			"5: bootstrapTokens[0].usages[0]: \"sign\" is not known\n  hint: it is one of signing, authentication\n" +
				"6: bootstrapTokens[0].groups: mean nothing without the usage authentication\n" +
				"6: bootstrapTokens[0].groups[0]: \"system:masters\" does not begin with system:bootstrappers:, or has more than a-z, 0-9, : and - after it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := config.Load([]byte(test.file), "init.yaml", config.Overrides{}, machine())
			equal(t, test.want, strings.ReplaceAll(message(err), "init.yaml: document 1, line ", ""))
		})
	}
}

// A secret that is wrong is not repeated in the complaint.
func TestSecretsAreNotRepeated(t *testing.T) {
	t.Parallel()
	file := initKind + "certificateKey: topsecret\nbootstrapTokens:\n- token: topsecret\n- token: abcdef.topsecret\n- token: [topsecret]\n"
	_, _, err := config.Load([]byte(file), "init.yaml", config.Overrides{Token: "topsecret"}, machine())
	if text := message(err); text == "" || strings.Contains(text, "topsecret") {
		t.Errorf("complaint: %q", text)
	}
}

func TestBadMachine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		machine config.Machine
		want    string
	}{
		"nothing known": {config.Machine{},
			"nodeRegistration.name: this machine has no host name to take it from\n  hint: give it with --node-name\n" +
				"localAPIEndpoint.advertiseAddress: this machine has no default route to take the address from\n  hint: give it with --apiserver-advertise-address"},
		"two runtimes": {config.Machine{Hostname: "a", DefaultIP: netip.MustParseAddr("10.0.0.1"), CRISockets: []string{"unix:///a", "unix:///b"}},
			"nodeRegistration.criSocket: there are several container runtimes: unix:///a, unix:///b\n  hint: choose one with --cri-socket"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := config.Load(nil, "", config.Overrides{}, test.machine)
			equal(t, test.want, message(err))
		})
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file string
		want []string
	}{
		"socket": {initKind + "nodeRegistration:\n  criSocket: /run/crio/crio.sock\n",
			[]string{"init.yaml: document 1, line 4: nodeRegistration.criSocket: a path without unix:// is deprecated"}},
		"pre-release": {clusterKind + "kubernetesVersion: v1.36.0-rc.1\n",
			[]string{"init.yaml: document 1, line 3: kubernetesVersion: v1.36.0-rc.1 is a pre-release"}},
		"etcd tag": {clusterKind + "etcd:\n  local:\n    imageTag: mine\n",
			[]string{`init.yaml: document 1, line 5: etcd.local.imageTag: "mine" is not a version: the image is taken for etcd 3.6.8`}},
		"validity": {clusterKind + "certificateValidityPeriod: 90000h\ncaCertificateValidityPeriod: 88000h\n", []string{
			"init.yaml: document 1, line 3: certificateValidityPeriod: 90000h0m0s is longer than the recommended 8760h0m0s",
			"init.yaml: document 1, line 4: caCertificateValidityPeriod: 88000h0m0s is longer than the recommended 87600h0m0s",
			"init.yaml: document 1, line 3: certificateValidityPeriod: certificates are valid for longer (90000h0m0s) than their CA (88000h0m0s)"}},
		"gate": {clusterKind + "featureGates: {NodeLocalCRISocket: false, ControlPlaneKubeletLocalMode: true}\n",
			[]string{"init.yaml: document 1, line 3: featureGates.NodeLocalCRISocket: can not be switched off any more"}},
		"taint": {initKind + "nodeRegistration:\n  taints: [{key: a, effect: NoExecute, timeAdded: 2026-01-01T00:00:00Z}]\n",
			[]string{"init.yaml: document 1, line 4: nodeRegistration.taints[0].timeAdded: is ignored: the cluster sets it"}},
		"families": {clusterKind + "networking: {podSubnet: \"10.244.0.0/16,fd00::/56\"}\n",
			[]string{"init.yaml: document 1, line 3: networking.podSubnet: pods and services are not of the same IP families"}},
		"none": {clusterKind, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, warnings, err := config.Load([]byte(test.file), "init.yaml", config.Overrides{}, machine())
			equal(t, "", message(err))
			equal(t, test.want, warnings)
		})
	}
}
