package sandbox

import (
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s, err := New(folder, "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(folder, "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a sandbox that was not saved: %v", err)
	}
	s.KubernetesVersion, s.BinDir = "v1.36.3", "/bin"
	if err := s.Save(); err != nil {
		t.Fatal(err)
	}
	got, err := Load(folder, "a")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, got, cmp.AllowUnexported(Sandbox{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("-saved +loaded:\n%s", diff)
	}
	if err := got.Remove(); err != nil {
		t.Fatal(err)
	}
	if all, err := List(folder); len(all) != 0 || err != nil {
		t.Errorf("after Remove: %v, %v", all, err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"a": true, "ci-1": true, strings.Repeat("x", 40): true,
		"": false, "A": false, "-a": false, "a-": false, "a/b": false, "..": false, "a.b": false, strings.Repeat("x", 41): false,
	} {
		if _, err := New(t.TempDir(), name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestAddresses: a name has its address again, no two sandboxes share a network, and no address is given out where
// somebody listens.
func TestAddresses(t *testing.T) {
	t.Parallel()
	first, err := New(t.TempDir(), "addresses")
	if err != nil {
		t.Fatal(err)
	}
	again, err := New(t.TempDir(), "addresses")
	if err != nil {
		t.Fatal(err)
	}
	address := first.Masters[0].Address
	if again.Masters[0].Address != address {
		t.Errorf("%s, then %s", address, again.Masters[0].Address)
	}
	if !netip.MustParsePrefix("127.64.0.0/10").Contains(address) {
		t.Errorf("%s is not in 127.64.0.0/10", address)
	}
	if other, err := free("addresses", []Sandbox{first}); err != nil || network(other) == network(address) {
		t.Errorf("another sandbox beside %s gets %s, %v", address, other, err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(address.String(), "10259"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if other, err := free("addresses", nil); err != nil || other == address {
		t.Errorf("with a listener at %s: %s, %v", address, other, err)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	s := Sandbox{Name: "a", dir: "/state/a"}
	m := Master{Name: "m1"}
	if s.Node(m) != "a-m1" || s.Root(m) != "/state/a/m1" || s.Paths(m).Manifests != filepath.Join(s.Root(m), "etc/kubernetes/manifests") {
		t.Errorf("node %s, root %s, manifests %s", s.Node(m), s.Root(m), s.Paths(m).Manifests)
	}
}
