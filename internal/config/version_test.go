package config_test

import (
	"slices"
	"testing"

	"tripod.dev/tripod/internal/config"
)

func TestParseVersion(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]config.Version{
		"1.36.3":         {Major: 1, Minor: 36, Patch: 3},
		"v1.36.3":        {Major: 1, Minor: 36, Patch: 3},
		"v1.37.0-rc.1":   {Major: 1, Minor: 37, Pre: "rc.1"},
		"3.6.8-0":        {Major: 3, Minor: 6, Patch: 8, Pre: "0"},
		"v0.0.0-a-b.1.c": {Pre: "a-b.1.c"},
	} {
		t.Run(given, func(t *testing.T) {
			t.Parallel()
			got, err := config.ParseVersion(given)
			equal(t, "", message(err))
			equal(t, want, got)
		})
	}
	for _, given := range []string{"", "v", "1", "1.36", "1.36.3.4", "1.036.3", "1.36.-3", "1.36.3-", "1.36.3-a..b", "1.36.3+build", "vv1.36.3", "1.36.x", "99999999.1.1"} {
		t.Run("not "+given, func(t *testing.T) {
			t.Parallel()
			if got, err := config.ParseVersion(given); err == nil {
				t.Errorf("%q is %s", given, got)
			}
		})
	}
}

func TestCompareVersions(t *testing.T) {
	t.Parallel()
	ordered := []string{"1.35.4", "1.36.0-alpha.1", "1.36.0-alpha.2", "1.36.0-alpha.10", "1.36.0-alpha.beta", "1.36.0-rc", "1.36.0-rc.1", "1.36.0", "1.36.3", "2.0.0"}
	var versions []config.Version
	for _, text := range slices.Backward(ordered) {
		v, err := config.ParseVersion(text)
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, v)
	}
	slices.SortFunc(versions, config.Version.Compare)
	var got []string
	for _, v := range versions {
		got = append(got, v.String())
	}
	equal(t, ordered, got)
}

func TestKubernetesVersions(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"": "v1.36.3", "stable": "v1.36.3", "stable-1": "v1.36.3", "stable-1.36": "v1.36.3", "stable-1.35": "v1.35.4", "stable-1.34": "v1.34.4",
		"1.35.0": "v1.35.0", "v1.36.9": "v1.36.9",
	} {
		t.Run(given, func(t *testing.T) {
			t.Parallel()
			c, _, err := config.Load(nil, "", config.Overrides{KubernetesVersion: given}, machine())
			equal(t, "", message(err))
			equal(t, want, c.Version.Tag())
			equal(t, want, c.Cluster.KubernetesVersion)
		})
	}
}

func TestImages(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file string
		want map[string]string
	}{
		"default": {clusterKind, map[string]string{
			"etcd":           "registry.k8s.io/etcd:3.6.8-0",
			"kube-apiserver": "registry.k8s.io/kube-apiserver:v1.36.3",
			"pause":          "registry.k8s.io/pause:3.10.2",
			"coredns":        "registry.k8s.io/coredns/coredns:v1.14.2",
		}},
		"mirror": {clusterKind + "imageRepository: my.registry:5000/k8s\netcd: {local: {imageRepository: quay.io/coreos, imageTag: v3.6.9}}\ndns: {imageTag: v1.0.0}\n", map[string]string{
			"etcd":           "quay.io/coreos/etcd:v3.6.9",
			"kube-scheduler": "my.registry:5000/k8s/kube-scheduler:v1.36.3",
			"pause":          "my.registry:5000/k8s/pause:3.10.2",
			"coredns":        "my.registry:5000/k8s/coredns:v1.0.0",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := load(t, test.file)
			for component, want := range test.want {
				equal(t, want, c.Image(component))
			}
		})
	}
}

func TestEtcdVersion(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{`""`: "3.6.8", "3.6.10-0": "3.6.10", "v3.5.24": "3.5.24", "mine": "3.6.8"} {
		c := load(t, clusterKind+"etcd: {local: {imageTag: "+tag+"}}\n")
		equal(t, want, c.EtcdVersion.String())
	}
}
