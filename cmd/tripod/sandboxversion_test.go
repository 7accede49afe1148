package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/internal/sandbox"
)

// A status tells the versions of what runs, whatever the record says that the master is to be.
func TestVersionsThatRun(t *testing.T) {
	t.Parallel()
	s := box(t)
	s.KubernetesVersion, s.BinDir = "v1.35.4", "/components/v1.35.4"
	s.Upgrade = &sandbox.Release{KubernetesVersion: "v1.36.3", BinDir: "/components/v1.36.3"}
	m := s.Masters[0]
	dir := s.Paths(m).Manifests
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(component, revision, image, bin string) {
		text := fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: %s, annotations: {tripod.dev/revision: "%s", tripod.dev/bin-dir: %s}},
spec: {containers: [{name: %s, image: "registry.k8s.io/%s"}]}}`, component, revision, bin, component, image)
		if err := os.WriteFile(filepath.Join(dir, component+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("etcd", "a", "etcd:3.6.8-0", "/components/v1.36.3")
	write("kube-apiserver", "b", "kube-apiserver:v1.36.3", "/components/v1.36.3")
	write("kube-controller-manager", "c", "kube-controller-manager:v1.36.3", "/components/v1.36.3")
	rows := []componentStatus{{Component: "etcd", Revision: "a"}, {Component: "kube-apiserver", Revision: "b"},
		{Component: "kube-controller-manager", Revision: "of before"}, {Component: "kube-scheduler"}}
	for i := range rows {
		rows[i].Version = s.Version(m)
	}
	var got []string
	for _, row := range thatRun(s, m, rows) {
		got = append(got, row.Version)
	}
	if diff := cmp.Diff([]string{"v1.36.3", "v1.36.3", "v1.35.4", "v1.35.4"}, got); diff != "" {
		t.Error(diff)
	}
}
