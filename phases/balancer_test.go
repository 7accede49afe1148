package phases

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// TestBalancer: its pod is what it should be once, stays as it is, and is another one for another CA.
func TestBalancer(t *testing.T) {
	t.Parallel()
	b := Balancer{Endpoint: netip.MustParseAddrPort("127.3.0.100:6443"), CA: []byte("a CA"),
		Backends: []netip.AddrPort{netip.MustParseAddrPort("127.3.0.1:6443"), netip.MustParseAddrPort("127.3.0.2:6443")}}
	m := Master{Config: config.Config{Paths: config.PathsUnder("/box/balancer")}, Facts: Facts{Files: map[string]host.File{}, Running: map[string]host.Running{}}}
	changes, err := b.want(m)
	if err != nil {
		t.Fatal(err)
	}
	if len(changes) != 2 {
		t.Fatalf("%d changes: %v", len(changes), changes)
	}
	for _, c := range changes {
		for _, f := range c.Files {
			m.Files[f.Path] = f
		}
	}
	manifest := m.Files[filepath.Join(m.Paths.Manifests, "balancer.yaml")].Data
	for _, want := range []string{
		"- tripod\n", "--listen=127.3.0.100:6443\n", "--backend=127.3.0.1:6443\n", "--backend=127.3.0.2:6443\n", "--ca=/box/balancer/etc/kubernetes/pki/ca.crt\n",
		"hostNetwork: true\n", "tripod.dev/revision: ",
	} {
		if !strings.Contains(string(manifest), want) {
			t.Errorf("the manifest lacks %q:\n%s", want, manifest)
		}
	}
	if changes, err := b.want(m); err != nil || len(changes) > 0 {
		t.Errorf("planned again: %v, %v", changes, err)
	}
	b.CA = []byte("another CA")
	changes, err = b.want(m)
	if err != nil || len(changes) != 2 || manifests.RevisionOf(changes[1].Files[0].Data) == manifests.RevisionOf(manifest) {
		t.Errorf("with another CA: %v, %v", changes, err)
	}
}
