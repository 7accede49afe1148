package config_test

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/internal/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// machine is one with a default route and a token drawn.
func machine() config.Machine {
	return config.Machine{
		Hostname:  "Master-1",
		DefaultIP: netip.MustParseAddr("192.168.1.10"),
		Token:     "aaaaaa.bbbbbbbbbbbbbbbb",
	}
}

// load reads one file on machine().
func load(t *testing.T, data string) config.Config {
	t.Helper()
	c, _, err := config.Load([]byte(data), "init.yaml", config.Overrides{}, machine())
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return c
}

// message is the text of an error, empty for none.
func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func equal(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, string(want), string(got))
}

const initKind = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"

const clusterKind = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"

const kubelet = "---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"

const joinKind = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n"

const byFile = "discovery: {file: {kubeConfigPath: /a.conf}}\n"

const resetKind = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ResetConfiguration\n"
